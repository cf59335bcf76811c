"""Histories as sequences of events, and the batches in which a recurrent network reads them (see `training`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ...errors import DataError
from ..distributed import WorkerGroup
from ..interactions import Interactions
from ..sparse import expand_ranges, rank_in_group
from ..types import BoolArray, FloatArray, IntArray, NumberArray
from .gru import MAX_EVENTS, gap_numbers, last_of_runs
from .settings import GRUSettings

# A log-weight that takes a column out of a sum of exponentials, and may be subtracted again without a loss.
_OUT = -30.0


@dataclass(frozen=True)
class Sequences:
    """Events as flat arrays: sequence k has the events ``starts[k]:starts[k + 1]``; the one that ended last is last.

    starts: shape (sequences + 1,).
    item: item numbers, shape (events,).
    kind: positions in KINDS, shape (events,).
    gap: numbers of `gru.time_gaps`, shape (events,).
    """

    starts: IntArray
    item: IntArray
    kind: IntArray
    gap: IntArray

    @classmethod
    def of(cls, group: IntArray, item: IntArray, kind: IntArray, time: NumberArray) -> Sequences:
        """From events, shape (events,) each: visitor or session number (-1 is left out), item, kind, seconds.

        A sequence of more than MAX_EVENTS events is cut; one of a single event is left out.
        """
        order = np.lexsort((time, group))
        order = order[group[order] >= 0]
        group, time = group[order], time[order]
        new = np.r_[True, np.diff(group) != 0][: len(order)]
        gap = np.zeros(len(order), np.int8)
        gap[1:] = gap_numbers(np.diff(time))
        gap[new] = 0
        first = np.flatnonzero(rank_in_group(group) % MAX_EVENTS == 0)
        length = np.diff(np.r_[first, len(order)])
        first, length = first[length > 1], length[length > 1]
        newest = np.argsort(time[first + length - 1], kind="stable")
        first, length = first[newest], length[newest]
        starts = np.r_[0, np.cumsum(length)]
        at = expand_ranges(first, length)
        events = order[at]
        return cls(starts, item[events].astype(np.int32), kind[events].astype(np.int8), gap[at])

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def steps(self) -> int:
        """Events that follow another one."""
        return len(self.item) - len(self)

    def part(self, begin: int, end: int) -> Sequences:
        """Sequences ``begin``…``end`` - 1."""
        events = slice(self.starts[begin], self.starts[end])
        starts = self.starts[begin : end + 1] - self.starts[begin]
        return replace(self, starts=starts, item=self.item[events], kind=self.kind[events], gap=self.gap[events])

    def grid(self, numbers: IntArray) -> tuple[IntArray, BoolArray]:
        """Events of some sequences except their last ones, side by side, shape (sequences, width); and which are real.

        The others are padding: a sequence's first event.
        """
        start, length = self.starts[numbers], self.starts[numbers + 1] - self.starts[numbers] - 1
        place = np.arange(length.max(initial=0))
        real = place < length[:, None]
        return np.where(real, start[:, None] + place, start[:, None]), real


def histories(events: Interactions) -> Sequences:
    """Each visitor's events in order, and a guest's in each session; consecutive events on one item are one."""
    guest = np.where(events.session >= 0, events.session + len(events.visitors), -1)
    group = np.where(events.visitor >= 0, events.visitor, guest)
    order = np.lexsort((events.time, group))
    group, item = group[order], events.item[order]
    last = last_of_runs(item) | np.r_[group[1:] != group[:-1], np.ones(min(len(group), 1), bool)]
    order = order[last]
    return Sequences.of(group[last], item[last], events.kind[order], events.time[order].astype(np.float64))


@dataclass(frozen=True)
class ItemContent:
    """What is known of items without their histories. Raises DataError for arrays of other kinds.

    category: numbers from 0, -1 for none, shape (items,).
    vectors: of images or text, float32 of shape (items, features); a row of zeros for none, no features if
        there are no such vectors.
    """

    category: IntArray
    vectors: FloatArray

    def __post_init__(self) -> None:
        if self.category.min(initial=0) < -1:
            raise DataError("Categories must be numbers from 0, or -1 for none.")
        if self.vectors.shape[:-1] != self.category.shape or self.vectors.dtype != np.float32:
            raise DataError(
                f"The content of {len(self)} items must be float32 of shape ({len(self)}, features), "
                f"not {self.vectors.dtype} of {self.vectors.shape}."
            )
        if not np.isfinite(self.vectors).all():
            raise DataError("The content of items holds numbers that are not finite.")

    @classmethod
    def nothing(cls, items: int) -> ItemContent:
        """Of items that are known by their ids alone; ``items``: how many."""
        return cls(np.full(items, -1), np.empty((items, 0), np.float32))

    def __len__(self) -> int:
        return len(self.category)

    @property
    def informative(self) -> bool:
        """Whether anything but the id is known of an item."""
        return bool(self.vectors.shape[1] or (self.category >= 0).any())


class Batch(NamedTuple):
    """What one step of training reads. Its items are numbered by their rows in ``content``.

    rows: distinct rows of the table of vectors.
    id_at, category_at: positions in ``rows``, shape (items,).
    content: shape (items, features).
    inputs, kind, gap: shape (sequences, width).
    real: positions in the flattened grid that are events, shape (steps,).
    columns: items that are scored.
    weight: added to their logits, shape (columns,).
    target: positions in ``columns``, shape (steps,).
    total: steps of all workers.
    seed: shape (2,).
    """

    rows: IntArray
    id_at: IntArray
    category_at: IntArray
    content: FloatArray
    inputs: IntArray
    kind: IntArray
    gap: IntArray
    real: IntArray
    columns: IntArray
    weight: FloatArray
    target: IntArray
    total: FloatArray
    seed: IntArray


class Batches:
    """Batches of sequences of similar length; the same for the same seed, epoch and step.

    content: of the items.
    settings: size of a batch, how negatives are drawn, and the share of items without their id (``hidden``), which is
        0 where ``content`` is not informative.
    workers: who share every batch.

    Rows of the table of vectors: one per item, that of an unknown id, that of no category, one per category.
    """

    def __init__(
        self, sequences: Sequences, content: ItemContent, settings: GRUSettings, workers: WorkerGroup | None = None
    ) -> None:
        self.sequences, self.content, self.settings = sequences, content, settings
        self.workers = workers or WorkerGroup()
        self.hidden = settings.hidden if content.informative else 0.0
        counts = np.bincount(sequences.item, minlength=len(content))
        self.occurring = np.flatnonzero(counts)
        weight = counts[self.occurring] ** settings.power
        self.share = weight / weight.sum()
        self.cumulative_share = np.cumsum(self.share)

    def epoch(self, epoch: int) -> list[IntArray]:
        """Sequence numbers of each batch."""
        rng = np.random.default_rng([self.settings.seed, epoch])
        length = np.diff(self.sequences.starts) - 1
        order = np.lexsort((rng.random(len(length)), length))
        batches: list[IntArray] = []
        start = 0
        while start < len(order):
            count = max(self.workers.size, self.settings.size // int(length[order[start]]))
            batches.append(order[start : start + count])
            start += count
        return [batches[number] for number in rng.permutation(len(batches))]

    def batch(self, numbers: IntArray, epoch: int, step: int) -> Batch:
        """Of the sequences ``numbers``, the ``step``-th of an epoch."""
        rng = np.random.default_rng([self.settings.seed, epoch, step])
        sequences, unknown = self.sequences, len(self.content)
        grid, real = sequences.grid(numbers)
        inputs, targets = sequences.item[grid], sequences.item[grid + 1]
        columns, weight = self.columns(targets[real], rng)
        items = np.union1d(columns, inputs)
        ids = np.where(rng.random(len(items)) < self.hidden, unknown, items)
        rows, row_of = np.unique(np.r_[ids, unknown + 2 + self.content.category[items]], return_inverse=True)
        own = slice(self.workers.rank, None, self.workers.size)
        return Batch(
            rows=rows,
            id_at=row_of[: len(items)],
            category_at=row_of[len(items) :],
            content=self.content.vectors[items],
            inputs=np.searchsorted(items, inputs[own]),
            kind=sequences.kind[grid[own]].astype(np.int64),
            gap=sequences.gap[grid[own]].astype(np.int64),
            real=np.flatnonzero(real[own]),
            columns=np.searchsorted(items, columns),
            weight=weight.astype(np.float32),
            target=np.searchsorted(columns, targets[own][real[own]]),
            total=np.array(real.sum(), np.float32),
            seed=np.array([*rng.integers(2**31, size=1), self.workers.rank]),
        )

    def columns(self, targets: IntArray, rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
        """Items that are scored, and log-weights that make the sum over them an unbiased one over all.

        An item drawn ``count`` times of ``negatives`` with a probability ``share`` stands for
        count / (negatives * share) items; a target that was not drawn counts only where it is the target.
        """
        negatives = self.settings.negatives
        if not 0 < negatives < len(self.occurring):
            return self.occurring, np.zeros(len(self.occurring))
        draws = np.searchsorted(self.cumulative_share, rng.random(negatives))
        drawn, count = np.unique(np.minimum(draws, len(self.cumulative_share) - 1), return_counts=True)
        columns = np.union1d(self.occurring[drawn], targets)
        weight = np.full(len(columns), _OUT)
        weight[np.searchsorted(columns, self.occurring[drawn])] = np.log(count / (negatives * self.share[drawn]))
        return columns, weight
