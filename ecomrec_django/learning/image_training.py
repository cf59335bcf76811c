"""The training of the network that looks at pictures: rounds of steps, from each of which it can go on.

Sources: AdamW, I. Loshchilov and F. Hutter, Decoupled Weight Decay Regularization, ICLR 2019; means of weights, B. T.
Polyak and A. B. Juditsky, Acceleration of Stochastic Approximation by Averaging, SIAM J. Control Optim. 30 (1992).
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from . import bundle
from .image_network import VECTOR, Backbone, augmented, cross_entropy, equal_pairs, info_nce, network, pretrained
from .workers import Workers

# Fewer labelled pictures than these are all learned from; none are held out.
_HELD_OUT_FROM = 100
# A round, after which is looked back and stored, has at least so many steps.
_ROUND = 50
_TOLD = 10

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Settings:
    """How pictures are learned.

    epochs: times that each picture is seen, more where that makes less than ``steps`` · batch: pictures per step ·
    rate: highest learning rate of AdamW, reached after a tenth of the steps, from where it falls on a cosine to 0 ·
    decay: of weights · change: how far pictures are altered, 0…1 · average: decay of the weights' running mean, which
    is what is used · contrast: weight of the pairs' loss · held_out: share of pictures that tells when to stop ·
    patience: share of all steps without a gain after which training stops · widths: channels of each resolution.
    """

    epochs: int = 20
    steps: int = 600
    batch: int = 128
    rate: float = 4e-3
    decay: float = 0.02
    change: float = 1.0
    average: float = 0.998
    contrast: float = 0.2
    held_out: float = 0.1
    patience: float = 0.35
    widths: tuple[int, ...] = (32, 64, 128)
    backbone: Backbone | None = None
    seed: int = 0


@dataclass
class State:
    """What has been done: rounds, the loss on what is held out after each, the least one and the round that had it."""

    round: int = 0
    least: float = math.inf
    least_at: int = 0
    losses: list[float] = field(default_factory=list)


class Partners:
    """Who shall lie near whom: of each picture the other ends of its pairs, both of them ``among`` (mask)."""

    def __init__(self, pairs: np.ndarray, among: np.ndarray) -> None:
        pairs = pairs[among[pairs].all(axis=1)]
        own, other = np.concatenate([pairs, pairs[:, ::-1]]).T
        order = np.argsort(own, kind="stable")
        self.other = other[order]
        self.starts = np.searchsorted(own[order], np.arange(len(among) + 1))

    def drawn(self, pictures: np.ndarray, chance: np.ndarray) -> np.ndarray:
        """One partner of each picture by chance (0…1 each); itself where it has none."""
        first, count = self.starts[pictures], self.starts[pictures + 1] - self.starts[pictures]
        found = pictures.copy()
        has = count > 0
        found[has] = self.other[(first + (chance * count).astype(np.int64))[has]]
        return found


class Training:
    """One training: what is learned from, the network so far, and one of the running mean of its weights."""

    def __init__(
        self,
        pictures: np.ndarray,
        targets: dict[str, np.ndarray],
        classes: dict[str, int],
        pairs: np.ndarray | None,
        settings: Settings,
    ) -> None:
        import keras

        self.workers = Workers.of_environment()
        self.pictures, self.pairs, self.settings, self.classes = pictures, pairs, settings, classes
        self.targets = np.stack([*targets.values()], axis=1) if targets else np.empty((len(pictures), 0), np.int32)
        self.learned = np.ones(len(pictures), bool)
        self.learned[self._held_out()] = False
        if pairs is not None:
            self.partners = Partners(pairs, self.learned)
            self.all_partners = Partners(pairs, np.ones(len(pictures), bool))
        per_epoch = -(-int(self.learned.sum()) // settings.batch)
        self.round_steps = max(per_epoch, _ROUND)
        self.rounds = -(-max(per_epoch * settings.epochs, settings.steps) // self.round_steps)
        self.steps = self.rounds * self.round_steps

        size = pictures.shape[1]
        body = pretrained(settings.backbone, size) if settings.backbone else None
        self.pretrained = body is not None
        together = self.workers.count > 1
        self.network, self.mean = (
            network(size, classes, settings.widths, body, settings.seed, together) for _ in range(2)
        )
        warm = self.steps // 10
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, max(self.steps - warm, 1), warmup_target=settings.rate, warmup_steps=warm
        )
        self.optimizer = keras.optimizers.AdamW(rate, weight_decay=settings.decay)
        self.optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        self.optimizer.build(self.network.trainable_variables)
        self.best = [variable.numpy() for variable in self.mean.variables]

    def run(self, checkpoint: Path | None, progress: Progress | None) -> State:
        """Train, from where ``checkpoint`` (a file) was left; ``mean`` is then the network of the least loss."""
        state, fingerprint = State(), self._fingerprint() if checkpoint else ""
        if checkpoint:
            state = self._resumed(checkpoint, fingerprint)
        patience = max(round(self.rounds * self.settings.patience), 1)
        step = self._step()
        while state.round < self.rounds and state.round - state.least_at < patience:
            for at, batch in enumerate(self._batches(state.round), start=state.round * self.round_steps):
                step(*batch)
                if progress and at % _TOLD == 0:
                    progress(at, self.steps)
            state.round += 1
            loss = self._held_out_loss()
            state.losses.append(loss)
            # Where nothing is held out, the latest is the best.
            if loss < state.least or math.isnan(loss):
                state.least, state.least_at = loss, state.round
                self.best = [variable.numpy() for variable in self.mean.variables]
            if checkpoint:
                self._store(checkpoint, fingerprint, state)
        for variable, value in zip(self.mean.variables, self.best, strict=True):
            variable.assign(value)
        if progress:
            progress(self.steps, self.steps)
        return state

    def _held_out(self) -> np.ndarray:
        """Numbers of pictures that are not learned from: a share of those that a loss can be told of."""
        told = np.flatnonzero((self.targets >= 0).any(axis=1))
        if not self.classes and self.pairs is not None:
            told = np.unique(self.pairs[self.pairs[:, 0] != self.pairs[:, 1]])
        if len(told) < _HELD_OUT_FROM:
            return told[:0]
        rng = np.random.default_rng([self.settings.seed, 0])
        return rng.permutation(told)[: int(len(told) * self.settings.held_out)]

    def _batches(self, number: int) -> Iterator[tuple[Any, ...]]:
        """Altered pictures, targets and numbers of this worker's part of the steps of one round, the same in each
        call."""
        import tensorflow as tf

        size = self.pictures.shape[1]
        signature = (
            tf.TensorSpec((None, size, size, 3), tf.uint8),
            tf.TensorSpec((None, len(self.classes)), tf.int32),
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((2,), tf.int32),
        )
        batches = tf.data.Dataset.from_generator(lambda: self._drawn(number), output_signature=signature)
        return iter(
            batches.map(
                lambda shown, targets, item, seed: (augmented(shown, seed, self.settings.change), targets, item)
            ).prefetch(2)
        )

    def _drawn(self, number: int) -> Iterator[tuple[Any, ...]]:
        rng = np.random.default_rng([self.settings.seed, 1, number])
        learned = np.flatnonzero(self.learned)
        wanted = self.round_steps * self.settings.batch
        order = np.concatenate([rng.permutation(learned) for _ in range(-(-wanted // len(learned)))])[:wanted]
        for at, rows in enumerate(np.split(order, self.round_steps)):
            rows = rows[self.workers.own :: self.workers.count]
            if self.pairs is not None:
                rows = np.concatenate([rows, self.partners.drawn(rows, rng.random(len(rows)))])
            draw = (number * self.round_steps + at) * self.workers.count + self.workers.own
            yield self.pictures[rows], self.targets[rows], rows, (self.settings.seed, draw)

    def _loss(self, outputs: dict[str, Any], targets: Any, item: Any, counted: Any) -> Any:
        import tensorflow as tf

        parts = [cross_entropy(targets[:, at], outputs[name]) for at, name in enumerate(self.classes)]
        if self.pairs is not None:
            # What is of one category is not driven apart.
            related = tf.reduce_any([equal_pairs(item), *map(equal_pairs, tf.unstack(targets, axis=1)[:1])], axis=0)
            parts.append(self.settings.contrast * info_nce(outputs[VECTOR], related, counted))
        return tf.add_n(parts)

    def _step(self) -> Callable[..., None]:
        import tensorflow as tf

        network, mean, optimizer, workers = self.network, self.mean, self.optimizer, self.workers

        def gradients(shown: Any, targets: Any, item: Any) -> list[Any]:
            """Of the mean of all workers' losses."""
            with tf.GradientTape() as tape:
                loss = self._loss(network(shown, training=True), targets, item, tf.ones_like(item, tf.float32))
                loss /= workers.count
            return workers.summed(tape.gradient(loss, network.trainable_variables))

        @tf.function(autograph=False, reduce_retracing=True)
        def step(shown: Any, targets: Any, item: Any) -> None:
            optimizer.apply(workers.share(gradients, shown, targets, item), network.trainable_variables)
            done = tf.cast(optimizer.iterations, tf.float32)
            # A mean over a tenth of the steps so far at first, which soon forgets where the weights began.
            keep = tf.minimum(self.settings.average, (1 + done) / (10 + done))
            for kept, new in zip(mean.variables, network.variables, strict=True):
                kept.assign(keep * kept + (1 - keep) * new)

        return step

    def _held_out_loss(self) -> float:
        """Loss of the mean network on unaltered pictures that are held out, NaN where none are."""
        held = np.flatnonzero(~self.learned)
        losses, counts = [], []
        for at in range(0, len(held), self.settings.batch):
            rows = held[at : at + self.settings.batch]
            targets, item, counted = self.targets[rows], rows, np.zeros(len(rows), np.float32)
            if self.pairs is not None:
                partner = self.all_partners.drawn(rows, np.zeros(len(rows)))
                counted = np.tile(partner != rows, 2).astype(np.float32)
                item = np.concatenate([rows, partner])
                targets = np.concatenate([targets, np.full_like(targets, -1)])
            outputs = self.mean.predict_on_batch(self.pictures[item])
            losses.append(float(self._loss(outputs, targets, item, counted)))
            counts.append(len(rows))
        return float(np.average(losses, weights=counts)) if losses else math.nan

    def _fingerprint(self) -> str:
        """What tells these pictures, targets, pairs and settings from others."""
        told = [asdict(self.settings), self.classes, self.pictures.shape, self.workers.count]
        found = sha256(json.dumps(told, default=str).encode())
        found.update(self.targets.tobytes())
        if self.pairs is not None:
            found.update(self.pairs.astype(np.int64).tobytes())
        for at in range(0, len(self.pictures), 1_000):
            found.update(self.pictures[at : at + 1_000].tobytes())
        return found.hexdigest()

    def _parts(self) -> dict[str, list[Any]]:
        return {
            "network": self.network.variables,
            "mean": self.mean.variables,
            "optimizer": self.optimizer.variables,
        }

    def _store(self, path: Path, fingerprint: str, state: State) -> None:
        arrays = {f"best.{at}": value for at, value in enumerate(self.best)}
        for kind, variables in self._parts().items():
            arrays |= {f"{kind}.{at}": variable.numpy() for at, variable in enumerate(variables)}
        bundle.write(path, arrays, {"fingerprint": fingerprint, **asdict(state)})

    def _resumed(self, path: Path, fingerprint: str) -> State:
        """The state that was stored for the same training, with its weights set; else that of a beginning."""
        if not path.exists():
            return State()
        try:
            arrays, facts = bundle.read(path)
        except DataError as error:
            logger.warning("%s Training begins anew.", error)
            return State()
        if facts.pop("fingerprint") != fingerprint:
            logger.info("%s belongs to another training; this one begins anew.", path)
            return State()
        for kind, variables in self._parts().items():
            for at, variable in enumerate(variables):
                variable.assign(arrays[f"{kind}.{at}"])
        self.best = [arrays[f"best.{at}"] for at in range(len(self.best))]
        return State(**facts)
