"""What comes next in a session: past sessions like it, by numpy alone.

Sources: S-KNN and V-SKNN, M. Ludewig and D. Jannach, Evaluation of Session-based Recommendation Algorithms, UMUAI 28
(2018); STAN, D. Garg et al., Sequence and Time Aware Neighborhood for Session-based Recommendations, SIGIR 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecomrec_django.errors import DataError
from ecomrec_django.learning.interactions import DAY
from ecomrec_django.learning.sparse import expand_ranges

# What session neighbours are taken to give each item that they do not name; chosen on a validation day of yoochoose.
_UNNAMED = 1e-4
FEW = 20
# Of the named items, so many lead on to others.
HOPS = 5


@dataclass(frozen=True)
class Decay:
    """How past sessions count; a scale of infinity leaves its part out.

    place: steps back in the present session over which a shared item loses 1 - 1/e of its say in the likeness · age:
    days over which a past session does · distance: steps between an item of a past session and the latest shared one ·
    latest: steps back at which the latest shared item stands in the present session · before: weight of items that
    stand before the latest shared one, 0…1 · rarity: power of log(1 + sessions / sessions with the item) · neighbours:
    past sessions that count · sample: newest past sessions looked at per item.
    """

    place: float = np.inf
    age: float = np.inf
    distance: float = np.inf
    latest: float = np.inf
    before: float = 1.0
    rarity: float = 0.0
    neighbours: int = 500
    sample: int = 1_000


@dataclass(frozen=True)
class SessionNeighbours:
    """Past sessions as flat arrays.

    starts (sessions + 1,), item (clicks,): the items of each in their order · ended (sessions,): days · by_item_starts
    (items + 1,), by_item: sessions with each item, newest first · rarity (items,).
    """

    decay: Decay
    starts: np.ndarray
    item: np.ndarray
    ended: np.ndarray
    by_item_starts: np.ndarray
    by_item: np.ndarray
    rarity: np.ndarray

    @classmethod
    def of(cls, session: np.ndarray, item: np.ndarray, time: np.ndarray, items: int, decay: Decay) -> SessionNeighbours:
        """From clicks, shape (clicks,) each: session numbers, item numbers below ``items``, seconds."""
        if len(item) and not (item.min() >= 0 and item.max() < items):
            raise DataError(f"Items of sessions must be numbers from 0 to below {items}.")
        order = np.lexsort((time, session))
        _, first, length = np.unique(session[order], return_index=True, return_counts=True)
        ended = time[order][first + length - 1] / DAY if len(first) else np.empty(0)
        # Sessions are renumbered by their end, so that a greater number is a newer one.
        newest = np.argsort(ended, kind="stable")
        number = np.empty(len(newest), np.int64)
        number[newest] = np.arange(len(newest))
        click_session = np.repeat(number, length)
        order = order[np.argsort(click_session, kind="stable")]
        click_session = np.sort(click_session, kind="stable")
        pairs = np.unique(item[order].astype(np.int64) * (len(first) + 1) + (len(first) - click_session))
        by_item, back = np.divmod(pairs, len(first) + 1)
        counts = np.bincount(by_item, minlength=items)
        return cls(
            decay,
            np.r_[0, np.cumsum(length[newest])],
            item[order].astype(np.int32),
            ended[newest],
            np.r_[0, np.cumsum(counts)],
            (len(first) - back).astype(np.int32),
            np.log1p(len(first) / np.maximum(counts, 1)) ** decay.rarity,
        )

    def next(self, session: np.ndarray, day: float) -> tuple[np.ndarray, np.ndarray]:
        """Items and their scores, best first (ties by number), after the item numbers of ``session`` in their order.

        Where past sessions with its items name fewer than FEW others, what follows the best of these comes after them.
        """
        items, scores = self._near(session, day)
        if 0 < len(items) < FEW:
            further, their = self._near(items[:HOPS][::-1], day)
            new = ~np.isin(further, items)
            # Below the last of those that are named directly.
            below = their[new] / max(their.max(), 1e-12) * scores[-1] * 0.99
            items, scores = np.concatenate([items, further[new]]), np.concatenate([scores, below])
        return items, scores

    def _near(self, session: np.ndarray, day: float) -> tuple[np.ndarray, np.ndarray]:
        decay = self.decay
        latest = session[::-1]
        _, place = np.unique(latest, return_index=True)
        place.sort()
        shared = latest[place]
        lists = [
            self.by_item[self.by_item_starts[one] : self.by_item_starts[one + 1]][: decay.sample] for one in shared
        ]
        sizes = [len(part) for part in lists]
        found, first, at = np.unique(np.concatenate(lists), return_index=True, return_inverse=True)
        likeness = np.bincount(at, np.repeat(np.exp(-place / decay.place) * self.rarity[shared], sizes), len(found))
        length = self.starts[found + 1] - self.starts[found]
        likeness = (
            likeness / np.sqrt(length * len(shared)) * np.exp(-np.maximum(day - self.ended[found], 0) / decay.age)
        )
        # `first` is where the latest shared item named the session.
        which = np.repeat(np.arange(len(shared)), sizes)[first]
        best = np.lexsort((-found, -likeness))[: decay.neighbours]
        weight = likeness[best] * np.exp(-place[which[best]] / decay.latest)
        return self._items(found[best], weight, shared[which[best]])

    def _items(self, sessions: np.ndarray, weight: np.ndarray, common: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        decay = self.decay
        length = self.starts[sessions + 1] - self.starts[sessions]
        owner, step = np.repeat(np.arange(len(sessions)), length), expand_ranges(0, length)
        item = self.item[expand_ranges(self.starts[sessions], length)]
        # The last place of the shared item in the past session.
        is_common = item == common[owner]
        where = np.zeros(len(sessions), np.int64)
        np.maximum.at(where, owner[is_common], step[is_common])
        ahead = step - where[owner]
        share = weight[owner] * np.exp(-np.abs(ahead) / decay.distance)
        share[ahead < 0] *= decay.before
        items, place = np.unique(item, return_inverse=True)
        scores = np.bincount(place, share, len(items))
        order = np.lexsort((items, -scores))
        return items[order].astype(np.int64), scores[order]


def with_neighbours(logits: np.ndarray, items: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """``logits`` of all items, shape (items,), and what `SessionNeighbours.next` named, as one score for each item.

    score(j) = logit(j) + log(s(j) / Σ s + 1e-4): the chances that both give are multiplied (G. Hinton, Training
    Products of Experts, Neural Computation 14 (2002)).
    """
    share = np.zeros(len(logits))
    if len(items):
        share[items] = scores / scores.sum()
    return logits + np.log(share + _UNNAMED)
