"""Histories as sequences of events, and the batches in which a recurrent network reads them (see `sequences`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..errors import DataError
from .interactions import Interactions
from .recurrent import LATEST, gap_numbers, last_of_runs

# A log-weight that takes a column out of a sum of exponentials, and may be subtracted again without a loss.
_OUT = -30.0


@dataclass(frozen=True)
class Sequences:
    """Events as flat arrays: sequence k has the events ``starts[k]:starts[k + 1]``; the one that ended last is last.

    starts (sequences + 1,) · item, kind, gap (events,): item numbers, places in KINDS, numbers of `recurrent.gaps`.
    """

    starts: np.ndarray
    item: np.ndarray
    kind: np.ndarray
    gap: np.ndarray

    @classmethod
    def of(cls, group: np.ndarray, item: np.ndarray, kind: np.ndarray, time: np.ndarray) -> Sequences:
        """From events, shape (events,) each: visitor or session number (-1 is left out), item, kind, seconds.

        A sequence of more than LATEST events is cut; what has one event only is left out.
        """
        order = np.lexsort((time, group))
        order = order[group[order] >= 0]
        group, time = group[order], time[order]
        new = np.r_[True, np.diff(group) != 0][: len(order)]
        first = np.flatnonzero(new)
        place = np.arange(len(order)) - np.repeat(first, np.diff(np.r_[first, len(order)]))
        gap = np.zeros(len(order), np.int8)
        gap[1:] = gap_numbers(np.diff(time))
        gap[new] = 0
        first = np.flatnonzero(place % LATEST == 0)
        length = np.diff(np.r_[first, len(order)])
        first, length = first[length > 1], length[length > 1]
        newest = np.argsort(time[first + length - 1], kind="stable")
        first, length = first[newest], length[newest]
        starts = np.r_[0, np.cumsum(length)]
        at = np.arange(starts[-1]) + np.repeat(first - starts[:-1], length)
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
        kept = slice(self.starts[begin], self.starts[end])
        starts = self.starts[begin : end + 1] - self.starts[begin]
        return replace(self, starts=starts, item=self.item[kept], kind=self.kind[kept], gap=self.gap[kept])

    def grid(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Events of the sequences ``chosen`` but their last ones, side by side, shape (sequences, width); and which of
        them are real, the others being filled up with a sequence's first event.
        """
        start, length = self.starts[chosen], self.starts[chosen + 1] - self.starts[chosen] - 1
        place = np.arange(length.max(initial=0))
        real = place < length[:, None]
        return np.where(real, start[:, None] + place, start[:, None]), real


def histories(events: Interactions) -> Sequences:
    """What each visitor did one after the other, and a guest in each session; events of one item in a row are one."""
    guest = np.where(events.session >= 0, events.session + len(events.visitors), -1)
    group = np.where(events.visitor >= 0, events.visitor, guest)
    order = np.lexsort((events.time, group))
    group, item = group[order], events.item[order]
    kept = last_of_runs(item) | np.r_[group[1:] != group[:-1], np.ones(min(len(group), 1), bool)]
    order = order[kept]
    return Sequences.of(group[kept], item[kept], events.kind[order], events.time[order].astype(np.float64))


@dataclass(frozen=True)
class About:
    """What is known of items without their histories.

    category (items,): numbers from 0, -1 for none · content (items, features) float32: vectors of pictures or text, a
    row of zeros for none, no features if there are no such vectors. Raises DataError for arrays that are not so.
    """

    category: np.ndarray
    content: np.ndarray

    def __post_init__(self) -> None:
        if self.category.min(initial=0) < -1:
            raise DataError("Categories must be numbers from 0, or -1 for none.")
        if self.content.shape[:-1] != self.category.shape or self.content.dtype != np.float32:
            raise DataError(
                f"The content of {len(self)} items must be float32 of shape ({len(self)}, features), "
                f"not {self.content.dtype} of {self.content.shape}."
            )
        if not np.isfinite(self.content).all():
            raise DataError("The content of items holds numbers that are not finite.")

    @classmethod
    def nothing(cls, items: int) -> About:
        """Of ``items`` known by their ids alone."""
        return cls(np.full(items, -1), np.empty((items, 0), np.float32))

    def __len__(self) -> int:
        return len(self.category)

    @property
    def says_something(self) -> bool:
        return bool(self.content.shape[1] or (self.category >= 0).any())


class Batch(NamedTuple):
    """What one step of training reads. Its items are numbered by their places in ``content``.

    rows: distinct rows of the table of vectors · id_at, category_at (items,): places in ``rows`` · content (items,
    features) · inputs, kind, gap (sequences, width) · real (steps,): places in the flattened grid that are events ·
    columns: items that are scored · weight (columns,): added to their logits · target (steps,): places in ``columns`` ·
    total: steps of all workers · seed (2,).
    """

    rows: np.ndarray
    id_at: np.ndarray
    category_at: np.ndarray
    content: np.ndarray
    inputs: np.ndarray
    kind: np.ndarray
    gap: np.ndarray
    real: np.ndarray
    columns: np.ndarray
    weight: np.ndarray
    target: np.ndarray
    total: np.ndarray
    seed: np.ndarray


class Batches:
    """Sequences of like length read together; the same for the same seed, epoch and step.

    size: steps of a batch · negatives: items drawn per batch, 0 for all that occur · power: of popularity, by which
    they are drawn · hidden: share of items without their id in a batch. Of ``workers`` that share every batch this is
    number ``worker``. Rows of the table: one per item, that of an unknown id, that of no category, one per category.
    """

    def __init__(
        self,
        sequences: Sequences,
        about: About,
        *,
        size: int,
        negatives: int,
        power: float,
        hidden: float,
        seed: int,
        workers: int = 1,
        worker: int = 0,
    ) -> None:
        self.sequences, self.about = sequences, about
        self.size, self.negatives, self.hidden, self.seed = size, negatives, hidden, seed
        self.workers, self.worker = workers, worker
        counts = np.bincount(sequences.item, minlength=len(about))
        self.occurring = np.flatnonzero(counts)
        weight = counts[self.occurring] ** power
        self.share = weight / weight.sum()
        self.up_to = np.cumsum(self.share)

    def epoch(self, epoch: int) -> list[np.ndarray]:
        """Sequence numbers of each batch."""
        rng = np.random.default_rng([self.seed, epoch])
        length = np.diff(self.sequences.starts) - 1
        order = np.lexsort((rng.random(len(length)), length))
        parts, at = [], 0
        while at < len(order):
            count = max(self.workers, self.size // int(length[order[at]]))
            parts.append(order[at : at + count])
            at += count
        return [parts[place] for place in rng.permutation(len(parts))]

    def batch(self, chosen: np.ndarray, epoch: int, step: int) -> Batch:
        """Of the sequences ``chosen``, the ``step``-th of an epoch."""
        rng = np.random.default_rng([self.seed, epoch, step])
        sequences, items = self.sequences, len(self.about)
        grid, real = sequences.grid(chosen)
        inputs, targets = sequences.item[grid], sequences.item[grid + 1]
        columns, weight = self.columns(targets[real], rng)
        numbers = np.union1d(columns, inputs)
        ids = np.where(rng.random(len(numbers)) < self.hidden, items, numbers)
        rows, at = np.unique(np.r_[ids, items + 2 + self.about.category[numbers]], return_inverse=True)
        own = slice(self.worker, None, self.workers)
        return Batch(
            rows,
            at[: len(numbers)],
            at[len(numbers) :],
            self.about.content[numbers],
            np.searchsorted(numbers, inputs[own]),
            sequences.kind[grid[own]].astype(np.int64),
            sequences.gap[grid[own]].astype(np.int64),
            np.flatnonzero(real[own]),
            np.searchsorted(numbers, columns),
            weight.astype(np.float32),
            np.searchsorted(columns, targets[own][real[own]]),
            np.array(real.sum(), np.float32),
            np.array([*rng.integers(2**31, size=1), self.worker]),
        )

    def columns(self, targets: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Items that are scored, and log-weights that make the sum over them an unbiased one over all.

        An item drawn ``count`` times of ``negatives`` with a chance ``share`` stands for count / (negatives * share)
        items; a target that was not drawn counts only where it is the target.
        """
        if not 0 < self.negatives < len(self.occurring):
            return self.occurring, np.zeros(len(self.occurring))
        places = np.searchsorted(self.up_to, rng.random(self.negatives))
        drawn, count = np.unique(np.minimum(places, len(self.up_to) - 1), return_counts=True)
        columns = np.union1d(self.occurring[drawn], targets)
        weight = np.full(len(columns), _OUT)
        weight[np.searchsorted(columns, self.occurring[drawn])] = np.log(count / (self.negatives * self.share[drawn]))
        return columns, weight
