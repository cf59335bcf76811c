"""What comes next in a history: training of a recurrent network (GRU) in TensorFlow.

At every step the network reads an item (vectors of its id, its category and its content), the kind of event and the
time since the event before, and foretells the next item: each item's vector times the state gives its logit.

Sources: B. Hidasi et al., Session-based Recommendations with Recurrent Neural Networks, ICLR 2016 (the GRU); B. Hidasi
and A. Karatzoglou, Recurrent Neural Networks with Top-k Gains, CIKM 2018 (negatives shared by a batch, drawn by a power
of popularity; one vector per item for input and output); Y. Bengio and J.-S. Senécal, Adaptive Importance Sampling,
IEEE Transactions on Neural Networks 19 (2008) (weights of drawn negatives); J. Duchi et al., Adaptive Subgradient
Methods, JMLR 12 (2011) (Adagrad).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from ..errors import DataError, TrainingError
from . import bundle
from .batches import About, Batch, Batches, Sequences
from .interactions import KINDS
from .recurrent import GAPS, NEVER, Origin, Recurrent
from .sequence_quality import quality
from .workers import Workers

logger = logging.getLogger(__name__)

# Next steps without which nothing can be learned.
FEW = 100
# Between two states that are kept within an epoch.
SAVE_SECONDS = 120.0
STATE = "state.npz"
_SMALLEST = 1e-7
# The CUDA capability from which products of bfloat16 are fast.
_BFLOAT16 = (8, 0)


def _silent(done: int, total: int) -> None:
    pass


@dataclass(frozen=True)
class Settings:
    """How to train.

    units: numbers of a state and of an item's vector · rate: Adagrad's · size: steps of a batch · input_dropout,
    dropout: share of what is read, and of states, set to 0 · negatives: items drawn per batch, 0 to score all · power:
    of popularity, by which they are drawn · hidden: share of items without their id in a batch, so that category and
    content learn to stand in for it · epochs: at most · patience: epochs without a better trial after which it
    ends · held_out: share of sequences, the newest, that judge a trial; 0: no trial, all epochs are trained · seed.
    """

    units: int = 100
    rate: float = 0.08
    size: int = 512
    input_dropout: float = 0.4
    dropout: float = 0.6
    negatives: int = 2_048
    power: float = 0.5
    hidden: float = 0.1
    epochs: int = 25
    patience: int = 3
    held_out: float = 0.1
    seed: int = 0


@dataclass(frozen=True)
class Network:
    """A network, and what its items' vectors were made of."""

    network: Recurrent
    origin: Origin


@dataclass(frozen=True)
class Trained:
    """final: has seen all sequences · trial: the best one that has not seen the newest, None if there was no trial ·
    epochs: those it was trained for · quality (epochs of the trial, 2): HR@20 and MRR@20 after each.
    """

    final: Network
    trial: Network | None
    epochs: int
    quality: np.ndarray

    @property
    def network(self) -> Recurrent:
        return self.final.network


def train(
    sequences: Sequences,
    about: About,
    settings: Settings,
    checkpoint: Path | None = None,
    progress: Callable[[int, int], None] = _silent,
    trial: tuple[Sequences, Sequences] | None = None,
) -> Trained:
    """A network that has seen all sequences as often as foretold the newest best, by MRR@20, in a trial without them.

    ``trial``: what it learns from, and what judges it; None: as Settings say. A network that goes on from the trial
    instead of beginning anew learns too little of new items. Calls with equal inputs give equal networks on one
    machine. ``checkpoint``: folder where the state is kept after every epoch and every SAVE_SECONDS; a call with the
    same inputs goes on from there. ``progress``: called with (steps done, steps in all). On a GPU scores are taken in
    bfloat16.
    Where TF_CONFIG names workers, each makes the same call, in a new process with one device; they share every batch.
    Raises TrainingError where fewer than FEW events follow another one.
    """
    items = len(about)
    if trial is None:
        begin = len(sequences) - int(settings.held_out * len(sequences))
        trial = sequences.part(0, begin), sequences.part(begin, len(sequences))
    for some in (sequences, *trial):
        if len(some.item) and not (some.item.min() >= 0 and some.item.max() < items):
            raise DataError(f"Items of sequences must be numbers from 0 to below {items}.")
    if sequences.steps < FEW:
        raise TrainingError(
            f"A recurrent network needs {FEW} events that follow another one of the same shopper or session; there are "
            f"{sequences.steps}, in {len(sequences)} histories of two events or more. Train it when there are more."
        )
    return _Training(sequences, trial, about, settings, checkpoint).run(progress)


class _Training:
    def __init__(
        self,
        sequences: Sequences,
        trial: tuple[Sequences, Sequences],
        about: About,
        settings: Settings,
        checkpoint: Path | None,
    ) -> None:
        import tensorflow as tf

        self.tf, self.about, self.settings, self.checkpoint = tf, about, settings, checkpoint
        self.workers = Workers.of_environment()
        before, self.held_out = trial
        self.trial = self._batches(before)
        self.final = self._batches(sequences)
        self.categorised = bool((about.category >= 0).any())
        self.fingerprint = _fingerprint((sequences, *trial), about, settings, self.workers.count)
        self._make()
        self.learn = tf.function(self._share, input_signature=[self._signature()], autograph=False)

    def _batches(self, sequences: Sequences) -> Batches:
        settings = self.settings
        return Batches(
            sequences,
            self.about,
            size=settings.size,
            negatives=settings.negatives,
            power=settings.power,
            hidden=settings.hidden if self.about.says_something else 0.0,
            seed=settings.seed,
            workers=self.workers.count,
            worker=self.workers.own,
        )

    def _make(self) -> None:
        """All variables: the large table, of which a step changes some rows, and small ones that it changes whole."""
        import keras

        tf, units = self.tf, self.settings.units
        details = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
        fast = bool(details) and all(one.get("compute_capability", (0, 0)) >= _BFLOAT16 for one in details)
        # The scores of all columns take most of the time.
        self.dtype = tf.bfloat16 if fast else tf.float32
        self.gru = keras.layers.GRU(units, return_sequences=True)
        self.gru.build((None, None, units))
        table, kernel, recurrent, bias, *others = self._initial()
        self.gru.set_weights([kernel, recurrent, bias])
        self.table = tf.Variable(table)
        self.kinds, self.gaps, *self.content = (tf.Variable(one) for one in others)
        self.whole = [*(weight.value for weight in self.gru.trainable_weights), self.kinds, self.gaps, *self.content]
        self.squares = [tf.Variable(tf.zeros_like(one)) for one in (self.table, *self.whole)]

    def _initial(self) -> list[np.ndarray]:
        """Values at the start: the table (see `Batches`; the last column is the bias), the GRU's kernel, recurrent
        kernel and bias, kinds, gaps and, if there is content, its projection and its gate."""
        rng = np.random.default_rng([self.settings.seed, 0])
        units, items, features = self.settings.units, len(self.about), self.about.content.shape[1]
        table = np.zeros((items + 3 + int(self.about.category.max(initial=-1)), units + 1))
        table[:items, :-1] = _uniform(rng, units, units, items)
        kernel = np.hstack([_uniform(rng, units, units, units) for _ in range(3)])
        recurrent = np.hstack([np.linalg.qr(rng.normal(size=(units, units)))[0] for _ in range(3)])
        values = [table, kernel, recurrent, np.zeros((2, 3 * units)), np.zeros((len(KINDS), units))]
        values.append(np.zeros((GAPS, units)))
        if features:
            values += [_uniform(rng, features, units + 1, features), np.zeros((features, units + 1))]
        return [value.astype(np.float32) for value in values]

    def _signature(self) -> Any:
        tf = self.tf
        kinds = {
            "content": ([None, self.about.content.shape[1]], tf.float32),
            "weight": ([None], tf.float32),
            "total": ([], tf.float32),
            "seed": ([2], tf.int64),
        } | {name: ([None, None], tf.int64) for name in ("inputs", "kind", "gap")}
        return Batch(*(tf.TensorSpec(*kinds.get(name, ([None], tf.int64))) for name in Batch._fields))

    def _share(self, batch: Any) -> None:
        self.workers.share(self._learn, batch)

    def _learn(self, batch: Any) -> None:
        """One step of Adagrad, whose sums of squares begin at 0."""
        tf, settings = self.tf, self.settings
        rows = tf.gather(self.table, batch.rows)
        watched = [rows, *self.whole]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(watched)
            loss = self._loss(rows, batch)
        gradient, *others = self.workers.summed([tf.convert_to_tensor(one) for one in tape.gradient(loss, watched)])
        squares = tf.gather(self.squares[0], batch.rows) + gradient**2
        self.squares[0].scatter_update(tf.IndexedSlices(squares, batch.rows))
        change = settings.rate * gradient / (tf.sqrt(squares) + _SMALLEST)
        self.table.scatter_sub(tf.IndexedSlices(change, batch.rows))
        for variable, squares, gradient in zip(self.whole, self.squares[1:], others, strict=True):
            squares.assign_add(gradient**2)
            variable.assign_sub(settings.rate * gradient / (tf.sqrt(squares) + _SMALLEST))

    def _loss(self, rows: Any, batch: Any) -> Any:
        """Cross-entropy of this worker's next steps as a share of the mean over those of all workers."""
        tf, settings = self.tf, self.settings
        items = tf.gather(rows, batch.id_at)
        if self.categorised:
            items += tf.gather(rows, batch.category_at)
        if self.about.content.shape[1]:
            items += self._content(batch.content)
        dropout = tf.nn.experimental.stateless_dropout
        read = tf.gather(items[:, :-1], batch.inputs)
        read += tf.gather(self.kinds, batch.kind) + tf.gather(self.gaps, batch.gap)
        states = self.gru(dropout(read, settings.input_dropout, batch.seed))
        states = tf.gather(tf.reshape(states, [-1, settings.units]), batch.real)
        states = dropout(states, settings.dropout, batch.seed + 1)
        columns = tf.gather(items, batch.columns)
        bias = columns[:, -1] + batch.weight
        vectors = tf.cast(columns[:, :-1], self.dtype)
        logits = tf.cast(tf.matmul(tf.cast(states, self.dtype), vectors, transpose_b=True), tf.float32) + bias
        places = tf.stack([tf.range(tf.size(batch.target, tf.int64)), batch.target], axis=1)
        # A target stands for itself alone.
        logits = tf.tensor_scatter_nd_sub(logits, places, tf.gather(batch.weight, batch.target))
        return self._cross_entropy(logits, places) / batch.total

    def _cross_entropy(self, logits: Any, places: Any) -> Any:
        """The sum over rows, by fewer passes over the logits than TensorFlow's own."""
        tf = self.tf

        @tf.custom_gradient
        def cross_entropy(logits: Any) -> Any:
            chances = tf.nn.softmax(logits)
            loss = -tf.reduce_sum(tf.math.log(tf.gather_nd(chances, places) + _SMALLEST))
            one = tf.ones_like(places[:, 0], tf.float32)
            return loss, lambda upstream: upstream * tf.tensor_scatter_nd_sub(chances, places, one)

        return cross_entropy(logits)

    def _content(self, content: Any) -> Any:
        """What pictures or texts add to items, each number let through by a gate of its own."""
        tf, (project, gate) = self.tf, self.content
        return tf.matmul(content, project) * tf.sigmoid(tf.matmul(content, gate))

    def run(self, progress: Callable[[int, int], None]) -> Trained:
        settings = self.settings
        tries = len(self.held_out) > 0 and len(self.trial.sequences) > 0
        # Whether the trial is over, epochs, and steps of the present epoch that are done.
        self.at, self.quality, self.best = [int(not tries), 0, 0], np.empty((0, 2)), list[np.ndarray]()
        before = settings.epochs * len(self.trial.epoch(0)) if tries else 0
        total = before + settings.epochs * len(self.final.epoch(0))
        self._resume()
        while not self.at[0]:
            self._epoch(self.trial, lambda done: progress(done, total))
            values = self._values()
            made = self._made(values, self.trial)
            self.quality = np.r_[self.quality, [quality(made.network, self.held_out)]]
            if self._best() == len(self.quality):
                self.best = values
            if len(self.quality) == settings.epochs or len(self.quality) - self._best() >= settings.patience:
                self._assign([*self._initial(), *(np.zeros(one.shape, np.float32) for one in self.squares)])
                self.at = [1, 0, 0]
            self._keep()
        epochs = self._best() or settings.epochs
        while self.at[1] < epochs:
            self._epoch(self.final, lambda done: progress(before + done, total))
            self._keep()
        progress(total, total)
        trial = self._made(self.best, self.trial) if self.best else None
        return Trained(self._made(self._values(), self.final), trial, epochs, self.quality)

    def _best(self) -> int:
        """Epochs after which the trial was best; 0 without one."""
        return int(self.quality[:, 1].argmax()) + 1 if len(self.quality) else 0

    def _epoch(self, batches: Batches, progress: Callable[[int], None]) -> None:
        """The rest of the present epoch; ``progress`` is called with the steps of all epochs that are done."""
        tf, kept = self.tf, monotonic()
        trial, epoch, done = self.at
        parts = batches.epoch(epoch)
        for step in range(done, len(parts)):
            self.learn(Batch(*map(tf.constant, batches.batch(parts[step], epoch, step))))
            self.at[2] = step + 1
            progress(epoch * len(parts) + step + 1)
            if monotonic() - kept > SAVE_SECONDS:
                self._keep()
                kept = monotonic()
        self.at = [trial, epoch + 1, 0]

    def _made(self, values: list[np.ndarray], batches: Batches) -> Network:
        """An item that did not occur has no id, and is not foretold where nothing is known of any item but its id. The
        last row has no category and no content either."""
        about, items, features = self.about, len(self.about), self.about.content.shape[1]
        table, kernel, recurrent, bias, kinds, gaps, *content = values
        project, gate = content or [np.empty((0, table.shape[1]), np.float32)] * 2
        categories = table[items + 1 :] if self.categorised else np.zeros_like(table[items + 1 :])
        origin = Origin(table[items], categories, project, gate)
        ids = np.full(items + 1, items)
        ids[batches.occurring] = batches.occurring
        nothing = np.zeros((1, features), np.float32)
        vectors = origin.vectors(table[ids], np.r_[about.category, -1], np.concatenate([about.content, nothing]))
        if not about.says_something:
            vectors[ids == items, -1] = NEVER
        return Network(Recurrent(vectors, kinds, gaps, kernel, recurrent, bias), origin)

    def _values(self) -> list[np.ndarray]:
        return [variable.numpy() for variable in (self.table, *self.whole)]

    def _assign(self, values: list[np.ndarray]) -> None:
        for variable, value in zip((self.table, *self.whole, *self.squares), values, strict=True):
            variable.assign(value)

    def _keep(self) -> None:
        """Write the state, so that a crash leaves the old one or the new one whole."""
        if self.checkpoint is None or self.final.worker:
            return
        self.checkpoint.mkdir(parents=True, exist_ok=True)
        now = [*self._values(), *(one.numpy() for one in self.squares)]
        values = {f"value.{at}": value for at, value in enumerate(now)}
        values |= {f"best.{at}": value for at, value in enumerate(self.best)}
        facts = {"fingerprint": self.fingerprint, "at": self.at}
        bundle.write(self.checkpoint / STATE, {"quality": self.quality, **values}, facts)

    def _resume(self) -> None:
        path = None if self.checkpoint is None else self.checkpoint / STATE
        if path is None or not path.exists():
            return
        try:
            values, facts = bundle.read(path)
        except DataError as error:
            logger.warning("%s Training begins anew.", error)
            return
        if facts["fingerprint"] != self.fingerprint:
            return
        self.at, self.quality = facts["at"], values["quality"]
        self.best = [values[f"best.{at}"] for at in range(len(self.squares)) if f"best.{at}" in values]
        self._assign([values[f"value.{at}"] for at in range(2 * len(self.squares))])


def _uniform(rng: np.random.Generator, inputs: int, outputs: int, rows: int) -> np.ndarray:
    """Shape (rows, outputs). Source: X. Glorot and Y. Bengio, AISTATS 2010."""
    reach = np.sqrt(6 / (inputs + outputs))
    return rng.uniform(-reach, reach, (rows, outputs))


def _fingerprint(sequences: tuple[Sequences, ...], about: About, settings: Settings, workers: int) -> str:
    digest = blake2b(f"{settings} {workers}".encode(), digest_size=16)
    for array in (array for one in (*sequences, about) for array in vars(one).values()):
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
