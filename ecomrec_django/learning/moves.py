"""Moves up: shoppers who turn from what they usually buy for a need to something dearer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .facts import Facts
from .fusion import Cases
from .interactions import Interactions
from .past import DAY
from .shoppers import Shopper

# Purchases for a need that make the item bought most the usual one.
USUAL_FROM = 3
# Least ratio of prices of a move up.
DEARER = 1.05
# Candidates of an upgrade that are looked at.
MOST = 500


def dearer(facts: Facts, shopper: Shopper, anchors: Sequence[int]) -> np.ndarray:
    """What may be an upgrade of the first of ``anchors``: offered items of its need that cost more, ascending; of more
    than MOST, those that sell best.
    """
    anchor = anchors[0]
    with np.errstate(invalid="ignore"):
        found = (facts.need == facts.need[anchor]) & (facts.price > facts.price[anchor]) & facts.offered
    items = np.flatnonzero(found)
    if len(items) > MOST:
        items = np.sort(items[np.argsort(-facts.baskets[items], kind="stable")[:MOST]])
    return items


def moves_up(before: Interactions, after: Interactions, facts: Facts, shopper: np.ndarray) -> Cases:
    """A case for each item that a shopper buys ``after`` for the first time, and that costs DEARER times what the
    shopper had usually bought ``before`` for that need, its anchor. Purchases alone; ``shopper`` maps the visitor
    numbers of ``after`` to places in a list of shoppers, or -1 for those whom ``before`` does not know.
    """
    usual = _usual(before, facts.need)
    owned = np.unique(
        before.visitor[before.visitor >= 0] * np.int64(len(facts.need)) + before.item[before.visitor >= 0]
    )
    number = before.visitors.numbers(after.visitors.ids)
    rows, targets = [], []
    fresh: set[tuple[int, int]] = set()
    known = np.flatnonzero(after.visitor >= 0)
    for row in known[np.argsort(after.time[known], kind="stable")].tolist():
        visitor, item = int(number[after.visitor[row]]), int(after.item[row])
        anchor = usual.get((visitor, int(facts.need[item])), -1)
        if anchor < 0 or (visitor, item) in fresh or not facts.price[item] >= DEARER * facts.price[anchor]:
            continue
        fresh.add((visitor, item))
        at = np.searchsorted(owned, visitor * len(facts.need) + item)
        if at < len(owned) and owned[at] == visitor * len(facts.need) + item:
            continue
        rows.append((shopper[after.visitor[row]], anchor, after.time[row] / DAY, after.basket[row]))
        targets.append(np.array([item]))
    columns = np.array(rows, np.float64).reshape(-1, 4).T
    places, anchors, baskets = (columns[at].astype(np.int64) for at in (0, 1, 3))
    return Cases(places, anchors, columns[2], baskets, targets)


def followed(
    visitor: np.ndarray, item: np.ndarray, time: np.ndarray, need: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many shoppers bought each item for the first time right after another one of its need.

    From purchases, those of ``visitor`` 0 and less being left out, and the ``need`` of all items, -1 for none. Returns
    item numbers of the one and of the other, and counts; shape (pairs,) each.
    """
    kept = np.flatnonzero((visitor > 0) & (need[item] >= 0))
    kept = kept[np.lexsort((item[kept], time[kept], need[item[kept]], visitor[kept]))]
    visitor, item = visitor[kept], item[kept]
    pair = visitor * np.int64(len(need)) + item
    first = np.zeros(len(item), bool)
    first[np.unique(pair, return_index=True)[1]] = True
    after = np.flatnonzero(first[1:] & (visitor[1:] == visitor[:-1]) & (need[item[1:]] == need[item[:-1]])) + 1
    pair, count = np.unique(item[after - 1] * np.int64(len(need)) + item[after], return_counts=True)
    one, other = np.divmod(pair, len(need))
    return one, other, count


def _usual(before: Interactions, need: np.ndarray) -> dict[tuple[int, int], int]:
    """By visitor and need, the item bought most of USUAL_FROM purchases at least; of equals the lower number."""
    rows = before.visitor >= 0
    visitor, item = before.visitor[rows], before.item[rows]
    pair, count = np.unique(visitor * np.int64(len(need)) + item, return_counts=True)
    visitor, item = np.divmod(pair, len(need))
    group = visitor * np.int64(need.max(initial=0) + 1) + need[item]
    order = np.lexsort((item, -count, group))
    group, first = group[order], np.ones(len(order), bool)
    first[1:] = group[1:] != group[:-1]
    total = np.add.reduceat(count[order], np.flatnonzero(first)) if len(order) else count
    chosen = order[first][total >= USUAL_FROM]
    pairs = zip(visitor[chosen].tolist(), need[item[chosen]].tolist(), strict=True)
    return dict(zip(pairs, item[chosen].tolist(), strict=True))
