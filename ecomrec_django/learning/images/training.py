"""Training of the image network, in rounds of steps after which it can be resumed."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from .. import npz
from ..distributed import WorkerGroup
from ..progress import Progress
from ..types import BoolArray, FloatArray, ImageArray, IntArray
from .network import VECTOR, Backbone, augment, cross_entropy, equal_pairs, inference, info_nce, network, pretrained
from .optimizer import AveragedAdamW

# With fewer labelled images, none are held out.
_HELD_OUT_FROM = 100
# Minimum steps of a round, after which the network is evaluated and stored.
_ROUND = 50
_STEPS_PER_REPORT = 10

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """Settings of the training of an image network.

    epochs: passes over all images; more if that makes fewer than ``steps``
    steps: minimum number of steps
    batch: images per step
    rate: peak learning rate of AdamW, after a tenth of the steps; then it decays to 0 on a cosine
    decay: weight decay
    augmentation: strength of image augmentation, 0…1
    average: decay of the running mean of the weights, which is the result
    contrastive_weight: weight of the loss of pairs
    held_out: share of images used for early stopping
    patience: share of all steps without improvement after which training stops
    widths: channels per resolution
    backbone: a network trained on other images whose features are used; None to train layers of ``widths``
    seed: seed of initial weights, batches and augmentation
    """

    epochs: int = 20
    steps: int = 600
    batch: int = 128
    rate: float = 4e-3
    decay: float = 0.02
    augmentation: float = 1.0
    average: float = 0.998
    contrastive_weight: float = 0.2
    held_out: float = 0.1
    patience: float = 0.35
    widths: tuple[int, ...] = (32, 64, 128)
    backbone: Backbone | None = None
    seed: int = 0


@dataclass
class TrainingState:
    """The progress of a training.

    round: finished rounds
    best_loss: lowest loss on held-out images
    best_round: the round with that loss
    losses: loss on held-out images after each round
    """

    round: int = 0
    best_loss: float = math.inf
    best_round: int = 0
    losses: list[float] = field(default_factory=list)


class PartnerPairs:
    """The partners of each image in pairs of which both images are ``eligible``."""

    def __init__(self, pairs: IntArray, eligible: BoolArray) -> None:
        pairs = pairs[eligible[pairs].all(axis=1)]
        image, partner = np.concatenate([pairs, pairs[:, ::-1]]).T
        order = np.argsort(image, kind="stable")
        self.partner = partner[order]
        self.starts = np.searchsorted(image[order], np.arange(len(eligible) + 1))

    def draw(self, images: IntArray, random: FloatArray) -> IntArray:
        """A partner of each image by random numbers of 0…1; the image itself if it has none."""
        first, count = self.starts[images], self.starts[images + 1] - self.starts[images]
        partners = images.copy()
        paired = count > 0
        partners[paired] = self.partner[(first + (random * count).astype(np.int64))[paired]]
        return partners


class ImageTrainer:
    """One training: its data, the network, and the running mean of its weights."""

    def __init__(
        self,
        images: ImageArray,
        targets: Mapping[str, IntArray],
        classes: dict[str, int],
        pairs: IntArray | None,
        settings: ImageSettings,
    ) -> None:
        self.workers = WorkerGroup.of_environment()
        self.images, self.pairs, self.settings, self.classes = images, pairs, settings, classes
        self.targets = np.stack([*targets.values()], axis=1) if targets else np.empty((len(images), 0), np.int32)
        self.trained = np.ones(len(images), bool)
        self.trained[self._held_out()] = False
        if pairs is not None:
            self.partners = PartnerPairs(pairs, self.trained)
            self.all_partners = PartnerPairs(pairs, np.ones(len(images), bool))
        per_epoch = -(-int(self.trained.sum()) // settings.batch)
        self.round_steps = max(per_epoch, _ROUND)
        self.rounds = -(-max(per_epoch * settings.epochs, settings.steps) // self.round_steps)
        self.steps = self.rounds * self.round_steps

        size = images.shape[1]
        body = pretrained(settings.backbone, size) if settings.backbone else None
        self.pretrained = body is not None
        together = self.workers.size > 1
        self.network = network(size, classes, settings.widths, body, settings.seed, together=together)
        self.outputs = inference(self.network)
        frozen = {id(variable) for variable in body.variables} if body else set()
        others = [variable.value for variable in self.network.non_trainable_variables if id(variable) not in frozen]
        trainable = [variable.value for variable in self.network.trainable_variables]
        self.optimizer = AveragedAdamW(
            trainable, others, steps=self.steps, rate=settings.rate, decay=settings.decay, average=settings.average
        )
        self.best = self.optimizer.mean.numpy()

    def run(self, checkpoint: Path | None, progress: Progress | None) -> TrainingState:
        """Train, resuming from the file ``checkpoint``; afterwards the network has the mean weights of lowest loss."""
        state, fingerprint = TrainingState(), self._fingerprint() if checkpoint else ""
        if checkpoint:
            state = self._resume(checkpoint, fingerprint)
        patience = max(round(self.rounds * self.settings.patience), 1)
        step, batches = self._step(), self._batches(state.round)
        while state.round < self.rounds and state.round - state.best_round < patience:
            self._round(state.round, step, batches, progress)
            state.round += 1
            loss = self._held_out_loss()
            state.losses.append(loss)
            # If nothing is held out, the latest is the best.
            if loss < state.best_loss or math.isnan(loss):
                state.best_loss, state.best_round = loss, state.round
                self.best = self.optimizer.mean.numpy()
            if checkpoint:
                self._store(checkpoint, fingerprint, state)
        self.optimizer.assign(self.best)
        if progress:
            progress(self.steps, self.steps)
        return state

    def _round(
        self,
        number: int,
        step: Callable[..., None],
        batches: Iterator[tuple[Any, ...]],
        progress: Progress | None,
    ) -> None:
        """All steps of a round."""
        first = number * self.round_steps
        for step_number, batch in zip(range(first, first + self.round_steps), batches, strict=False):
            step(*batch)
            if progress and step_number % _STEPS_PER_REPORT == 0:
                progress(step_number, self.steps)

    def _held_out(self) -> IntArray:
        """Numbers of the images that are held out from training: a share of those that contribute to the loss."""
        labelled = np.flatnonzero((self.targets >= 0).any(axis=1))
        if not self.classes and self.pairs is not None:
            labelled = np.unique(self.pairs[self.pairs[:, 0] != self.pairs[:, 1]])
        if len(labelled) < _HELD_OUT_FROM:
            return labelled[:0]
        rng = np.random.default_rng([self.settings.seed, 0])
        return rng.permutation(labelled)[: int(len(labelled) * self.settings.held_out)]

    def _batches(self, first: int) -> Iterator[tuple[Any, ...]]:
        """This worker's part of each step from a round on: augmented images, targets and numbers; the same in each
        call.
        """
        import tensorflow as tf

        size = self.images.shape[1]
        signature = (
            tf.TensorSpec((None, size, size, 3), tf.uint8),
            tf.TensorSpec((None, len(self.classes)), tf.int32),
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((2,), tf.int32),
        )
        batches = tf.data.Dataset.from_generator(
            lambda: chain.from_iterable(map(self._draw, range(first, self.rounds))), output_signature=signature
        )
        return iter(
            batches.map(
                lambda images, targets, item, seed: (augment(images, seed, self.settings.augmentation), targets, item)
            ).prefetch(2)
        )

    def _draw(self, number: int) -> Iterator[tuple[Any, ...]]:
        rng = np.random.default_rng([self.settings.seed, 1, number])
        trained = np.flatnonzero(self.trained)
        count = self.round_steps * self.settings.batch
        order = np.concatenate([rng.permutation(trained) for _ in range(-(-count // len(trained)))])[:count]
        for step, rows in enumerate(np.split(order, self.round_steps)):
            rows = rows[self.workers.rank :: self.workers.size]
            if self.pairs is not None:
                rows = np.concatenate([rows, self.partners.draw(rows, rng.random(len(rows)))])
            draw = (number * self.round_steps + step) * self.workers.size + self.workers.rank
            yield self.images[rows], self.targets[rows], rows, (self.settings.seed, draw)

    def _loss(self, outputs: dict[str, Any], targets: Any, item: Any, weights: Any) -> Any:
        import tensorflow as tf

        parts = [cross_entropy(targets[:, column], outputs[name]) for column, name in enumerate(self.classes)]
        if self.pairs is not None:
            # Images of the same category are not pushed apart.
            related = tf.reduce_any([equal_pairs(item), *map(equal_pairs, tf.unstack(targets, axis=1)[:1])], axis=0)
            parts.append(self.settings.contrastive_weight * info_nce(outputs[VECTOR], related, weights))
        return tf.add_n(parts)

    def _step(self) -> Callable[..., None]:
        import tensorflow as tf

        network, optimizer, workers = self.network, self.optimizer, self.workers

        def gradients(images: Any, targets: Any, item: Any) -> list[Any]:
            """Gradients of the mean of all workers' losses."""
            with tf.GradientTape() as tape:
                loss = self._loss(network(images, training=True), targets, item, tf.ones_like(item, tf.float32))
                loss /= workers.size
            return workers.summed(tape.gradient(loss, optimizer.trainable))

        @tf.function(autograph=False, reduce_retracing=True)
        def step(images: Any, targets: Any, item: Any) -> None:
            optimizer.apply(workers.share(gradients, images, targets, item))

        return step

    def _held_out_loss(self) -> float:
        """Loss with the mean weights on held-out images without augmentation; NaN if there are none."""
        held_out = np.flatnonzero(~self.trained)
        losses, counts = [], []
        present = self.optimizer.weights()
        self.optimizer.assign(self.optimizer.mean)
        for start in range(0, len(held_out), self.settings.batch):
            rows = held_out[start : start + self.settings.batch]
            targets, item, weights = self.targets[rows], rows, np.zeros(len(rows), np.float32)
            if self.pairs is not None:
                partner = self.all_partners.draw(rows, np.zeros(len(rows)))
                weights = np.tile(partner != rows, 2).astype(np.float32)
                item = np.concatenate([rows, partner])
                targets = np.concatenate([targets, np.full_like(targets, -1)])
            losses.append(float(self._loss(self.outputs(self.images[item]), targets, item, weights)))
            counts.append(len(rows))
        self.optimizer.assign(present)
        return float(np.average(losses, weights=counts)) if losses else math.nan

    def _fingerprint(self) -> str:
        """A digest of images, targets, pairs and settings."""
        facts = [asdict(self.settings), self.classes, self.images.shape, self.workers.size]
        digest = sha256(json.dumps(facts, default=str).encode())
        digest.update(self.targets.tobytes())
        if self.pairs is not None:
            digest.update(self.pairs.astype(np.int64).tobytes())
        for start in range(0, len(self.images), 1_000):
            digest.update(self.images[start : start + 1_000].tobytes())
        return digest.hexdigest()

    def _store(self, path: Path, fingerprint: str, state: TrainingState) -> None:
        arrays = {"best": self.best, **self.optimizer.state()}
        npz.write_npz(path, arrays, {"fingerprint": fingerprint, **asdict(state)})

    def _resume(self, path: Path, fingerprint: str) -> TrainingState:
        """Restore the weights of the same training and return its state; a new state if none is stored."""
        if not path.exists():
            return TrainingState()
        try:
            arrays, facts = npz.read_npz(path)
        except DataError as error:
            logger.warning("%s Training starts over.", error)
            return TrainingState()
        if facts.pop("fingerprint") != fingerprint:
            logger.info("%s belongs to another training; this one starts over.", path)
            return TrainingState()
        self.best = arrays.pop("best")
        self.optimizer.restore(arrays)
        return TrainingState(**facts)
