"""Prediction of the next item of a history: training of a recurrent network (GRU) in TensorFlow.

At every step the network reads an item (vectors of its id, its category and its content), the kind of event and the
time since the event before, and predicts the next item: each item's vector times the state gives its logit.

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

from ...errors import DataError, TrainingError
from .. import npz
from ..distributed import WorkerGroup
from ..interactions import KINDS
from ..progress import Progress, no_progress
from ..types import FloatArray
from .batches import Batch, Batches, ItemContent, Sequences
from .gru import GAPS, NEVER, GRUModel, ItemEmbeddingParts
from .metrics import hit_rate_and_mrr
from .settings import GRUSettings

logger = logging.getLogger(__name__)

# Next steps without which nothing can be learned.
MIN_STEPS = 100
# Between two states that are kept within an epoch.
SAVE_SECONDS = 120.0
STATE = "state.npz"
_SMALLEST = 1e-7
# The CUDA capability from which products of bfloat16 are fast.
_BFLOAT16 = (8, 0)


@dataclass(frozen=True)
class GRUNetwork:
    """A network, and what its items' vectors are made of."""

    network: GRUModel
    origin: ItemEmbeddingParts


@dataclass(frozen=True)
class TrainingResult:
    """What a training made.

    final: the network that has seen all sequences.
    trial: the best one that has not seen the newest; None if there was no trial.
    epochs: those that ``final`` was trained for.
    quality: HR@20 and MRR@20 after each epoch of the trial, shape (epochs, 2).
    """

    final: GRUNetwork
    trial: GRUNetwork | None
    epochs: int
    quality: FloatArray

    @property
    def network(self) -> GRUModel:
        """The final network as arrays, which numpy alone can run."""
        return self.final.network


def train(
    sequences: Sequences,
    content: ItemContent,
    settings: GRUSettings,
    checkpoint: Path | None = None,
    progress: Progress = no_progress,
    trial: tuple[Sequences, Sequences] | None = None,
) -> TrainingResult:
    """Train for as many epochs as predict the newest sequences best, by MRR@20, in a trial without them.

    content: of the items.
    checkpoint: folder where the state is kept after every epoch and every SAVE_SECONDS; a call with the same inputs
        resumes from there.
    progress: called with (steps done, steps in all).
    trial: the sequences that it learns from, and those that evaluate it; None: as ``settings`` say.

    A network that goes on from the trial, instead of starting over, learns too little of new items. Calls with equal
    inputs give equal networks on one machine. On a GPU scores are computed in bfloat16. Where TF_CONFIG names workers,
    each makes the same call, in a new process with one device; they share every batch. Raises DataError for item
    numbers that are none, TrainingError where fewer than MIN_STEPS events follow another one.
    """
    items = len(content)
    if trial is None:
        begin = len(sequences) - int(settings.held_out * len(sequences))
        trial = sequences.part(0, begin), sequences.part(begin, len(sequences))
    for part in (sequences, *trial):
        if len(part.item) and not (part.item.min() >= 0 and part.item.max() < items):
            raise DataError(f"Items of sequences must be numbers from 0 to below {items}.")
    if sequences.steps < MIN_STEPS:
        raise TrainingError(
            f"Not enough events to train on: {sequences.steps} of them follow another one of the same shopper or "
            f"session, in {len(sequences)} histories of two events or more. At least {MIN_STEPS} are needed."
        )
    return _Trainer(sequences, trial, content, settings, checkpoint).run(progress)


class _Trainer:
    def __init__(
        self,
        sequences: Sequences,
        trial: tuple[Sequences, Sequences],
        content: ItemContent,
        settings: GRUSettings,
        checkpoint: Path | None,
    ) -> None:
        import tensorflow as tf

        self.tf, self.content, self.settings, self.checkpoint = tf, content, settings, checkpoint
        self.workers = WorkerGroup.of_environment()
        before, self.held_out = trial
        self.trial = self._batches(before)
        self.final = self._batches(sequences)
        self.categorised = bool((content.category >= 0).any())
        self.fingerprint = _fingerprint((sequences, *trial), content, settings, self.workers.size)
        self._make()
        self.train_step = tf.function(self._share, input_signature=[self._signature()], autograph=False)

    def _batches(self, sequences: Sequences) -> Batches:
        return Batches(sequences, self.content, self.settings, self.workers)

    def _make(self) -> None:
        """All variables: the large table, of which a step changes some rows, and small ones that it changes whole."""
        import keras

        tf, units = self.tf, self.settings.units
        details = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
        fast = bool(details) and all(detail.get("compute_capability", (0, 0)) >= _BFLOAT16 for detail in details)
        # The scores of all columns take most of the time.
        self.dtype = tf.bfloat16 if fast else tf.float32
        self.gru = keras.layers.GRU(units, return_sequences=True)
        self.gru.build((None, None, units))
        table, kernel, recurrent, bias, *others = self._initial()
        self.gru.set_weights([kernel, recurrent, bias])
        self.table = tf.Variable(table)
        self.kinds, self.gaps, *self.content_weights = (tf.Variable(value) for value in others)
        gru = (weight.value for weight in self.gru.trainable_weights)
        self.small = [*gru, self.kinds, self.gaps, *self.content_weights]
        self.squares = [tf.Variable(tf.zeros_like(variable)) for variable in (self.table, *self.small)]

    def _initial(self) -> list[FloatArray]:
        """Values at the start: the table (see `Batches`; the last column is the bias), the GRU's kernel, recurrent
        kernel and bias, kinds, gaps and, if there is content, its projection and its gate."""
        rng = np.random.default_rng([self.settings.seed, 0])
        units, items, features = self.settings.units, len(self.content), self.content.vectors.shape[1]
        table = np.zeros((items + 3 + int(self.content.category.max(initial=-1)), units + 1))
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
            "content": ([None, self.content.vectors.shape[1]], tf.float32),
            "weight": ([None], tf.float32),
            "total": ([], tf.float32),
            "seed": ([2], tf.int64),
        } | {name: ([None, None], tf.int64) for name in ("inputs", "kind", "gap")}
        return Batch._make(tf.TensorSpec(*kinds.get(name, ([None], tf.int64))) for name in Batch._fields)

    def _share(self, batch: Any) -> None:
        self.workers.share(self._step, batch)

    def _step(self, batch: Any) -> None:
        """One step of Adagrad, whose sums of squares begin at 0."""
        tf, settings = self.tf, self.settings
        rows = tf.gather(self.table, batch.rows)
        watched = [rows, *self.small]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(watched)
            loss = self._loss(rows, batch)
        gradient, *others = self.workers.summed([tf.convert_to_tensor(part) for part in tape.gradient(loss, watched)])
        squares = tf.gather(self.squares[0], batch.rows) + gradient**2
        self.squares[0].scatter_update(tf.IndexedSlices(squares, batch.rows))
        change = settings.rate * gradient / (tf.sqrt(squares) + _SMALLEST)
        self.table.scatter_sub(tf.IndexedSlices(change, batch.rows))
        for variable, squares, gradient in zip(self.small, self.squares[1:], others, strict=True):
            squares.assign_add(gradient**2)
            variable.assign_sub(settings.rate * gradient / (tf.sqrt(squares) + _SMALLEST))

    def _loss(self, rows: Any, batch: Any) -> Any:
        """Cross-entropy of this worker's next steps as a share of the mean over those of all workers."""
        tf, settings = self.tf, self.settings
        items = tf.gather(rows, batch.id_at)
        if self.categorised:
            items += tf.gather(rows, batch.category_at)
        if self.content.vectors.shape[1]:
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
            probabilities = tf.nn.softmax(logits)
            loss = -tf.reduce_sum(tf.math.log(tf.gather_nd(probabilities, places) + _SMALLEST))
            ones = tf.ones_like(places[:, 0], tf.float32)
            return loss, lambda upstream: upstream * tf.tensor_scatter_nd_sub(probabilities, places, ones)

        return cross_entropy(logits)

    def _content(self, content: Any) -> Any:
        """What images or texts add to items, each number scaled by a gate of its own."""
        tf, (project, gate) = self.tf, self.content_weights
        return tf.matmul(content, project) * tf.sigmoid(tf.matmul(content, gate))

    def run(self, progress: Progress) -> TrainingResult:
        settings = self.settings
        has_trial = len(self.held_out) > 0 and len(self.trial.sequences) > 0
        # Whether the trial is over, epochs, and steps of the present epoch that are done.
        self.position = [int(not has_trial), 0, 0]
        self.quality, self.best = np.empty((0, 2)), list[FloatArray]()
        trial_steps = settings.epochs * len(self.trial.epoch(0)) if has_trial else 0
        total = trial_steps + settings.epochs * len(self.final.epoch(0))
        self._resume()
        while not self.position[0]:
            self._epoch(self.trial, lambda done: progress(done, total))
            values = self._values()
            network = self._network(values, self.trial).network
            self.quality = np.r_[self.quality, [hit_rate_and_mrr(network, self.held_out)]]
            if self._best_epoch() == len(self.quality):
                self.best = values
            if len(self.quality) == settings.epochs or len(self.quality) - self._best_epoch() >= settings.patience:
                self._assign([*self._initial(), *(np.zeros(square.shape, np.float32) for square in self.squares)])
                self.position = [1, 0, 0]
            self._save()
        epochs = self._best_epoch() or settings.epochs
        while self.position[1] < epochs:
            self._epoch(self.final, lambda done: progress(trial_steps + done, total))
            self._save()
        progress(total, total)
        trial = self._network(self.best, self.trial) if self.best else None
        return TrainingResult(self._network(self._values(), self.final), trial, epochs, self.quality)

    def _best_epoch(self) -> int:
        """Epochs after which the trial was best; 0 without one."""
        return int(self.quality[:, 1].argmax()) + 1 if len(self.quality) else 0

    def _epoch(self, batches: Batches, progress: Callable[[int], None]) -> None:
        """The rest of the present epoch; ``progress`` is called with the steps of all epochs that are done."""
        tf, saved = self.tf, monotonic()
        trial, epoch, done = self.position
        parts = batches.epoch(epoch)
        for step in range(done, len(parts)):
            self.train_step(Batch._make(map(tf.constant, batches.batch(parts[step], epoch, step))))
            self.position[2] = step + 1
            progress(epoch * len(parts) + step + 1)
            if monotonic() - saved > SAVE_SECONDS:
                self._save()
                saved = monotonic()
        self.position = [trial, epoch + 1, 0]

    def _network(self, values: list[FloatArray], batches: Batches) -> GRUNetwork:
        """The network of these values of all variables.

        An item that did not occur has no id, and is not predicted where nothing is known of any item but its id. The
        last row has no category and no content either.
        """
        content, items, features = self.content, len(self.content), self.content.vectors.shape[1]
        table, kernel, recurrent, bias, kinds, gaps, *content_weights = values
        project, gate = content_weights or [np.empty((0, table.shape[1]), np.float32)] * 2
        categories = table[items + 1 :] if self.categorised else np.zeros_like(table[items + 1 :])
        origin = ItemEmbeddingParts(table[items], categories, project, gate)
        ids = np.full(items + 1, items)
        ids[batches.occurring] = batches.occurring
        padded = np.concatenate([content.vectors, np.zeros((1, features), np.float32)])
        vectors = origin.vectors(table[ids], np.r_[content.category, -1], padded)
        if not content.informative:
            vectors[ids == items, -1] = NEVER
        network = GRUModel(items=vectors, kinds=kinds, gaps=gaps, kernel=kernel, recurrent=recurrent, bias=bias)
        return GRUNetwork(network, origin)

    def _values(self) -> list[FloatArray]:
        return [variable.numpy() for variable in (self.table, *self.small)]

    def _assign(self, values: list[FloatArray]) -> None:
        for variable, value in zip((self.table, *self.small, *self.squares), values, strict=True):
            variable.assign(value)

    def _save(self) -> None:
        """Write the state, so that a crash leaves the old one or the new one whole."""
        if self.checkpoint is None or self.workers.rank:
            return
        self.checkpoint.mkdir(parents=True, exist_ok=True)
        state = [*self._values(), *(square.numpy() for square in self.squares)]
        values = {f"value.{number}": value for number, value in enumerate(state)}
        values |= {f"best.{number}": value for number, value in enumerate(self.best)}
        facts = {"fingerprint": self.fingerprint, "position": self.position}
        npz.write_npz(self.checkpoint / STATE, {"quality": self.quality, **values}, facts)

    def _resume(self) -> None:
        path = None if self.checkpoint is None else self.checkpoint / STATE
        if path is None or not path.exists():
            return
        try:
            values, facts = npz.read_npz(path)
        except DataError as error:
            logger.warning("%s Training starts over.", error)
            return
        if facts["fingerprint"] != self.fingerprint:
            return
        self.position, self.quality = facts["position"], values["quality"]
        self.best = [values[f"best.{number}"] for number in range(len(self.squares)) if f"best.{number}" in values]
        self._assign([values[f"value.{number}"] for number in range(2 * len(self.squares))])


def _uniform(rng: np.random.Generator, inputs: int, outputs: int, rows: int) -> FloatArray:
    """Shape (rows, outputs). Source: X. Glorot and Y. Bengio, AISTATS 2010."""
    limit = np.sqrt(6 / (inputs + outputs))
    return rng.uniform(-limit, limit, (rows, outputs))


def _fingerprint(sequences: tuple[Sequences, ...], content: ItemContent, settings: GRUSettings, workers: int) -> str:
    digest = blake2b(f"{settings} {workers}".encode(), digest_size=16)
    for array in (array for arrays in (*sequences, content) for array in vars(arrays).values()):
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
