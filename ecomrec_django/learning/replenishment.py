"""Which things are bought again, and when: milk on its cycle, a tent not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Days in which a thing is bought again, or is not; what was bought later is left out of a rate.
WINDOW = 90.0
# Purchases' worth of trust in the rate of all needs, beside a need's own.
PRIOR = 20.0
# Standard deviations above chance that it takes to call a need one that is bought again.
MIN_SURPRISE = 3.0
MIN_RATE = 0.05
MIN_REPEATS = 5
# Gaps' worth of trust in the need's cycle, beside a shopper's own.
PRIOR_GAPS = 2.0
# Part of a cycle after which the next purchase is due.
DUE = 0.8


@dataclass(frozen=True)
class Cycles:
    """Per need, shape (needs,): the chance ``rate`` that a bought item is bought again within WINDOW days, smoothed;
    ``expected``, what chance alone would give; ``repeats``, whether it is more than that; ``days`` from one purchase to
    the next (median), that of all needs where there are fewer than MIN_REPEATS, NaN where nothing is bought again.
    ``item_rate``: the rate per item, shape (items,), smoothed by its need's.
    """

    rate: np.ndarray
    expected: np.ndarray
    repeats: np.ndarray
    days: np.ndarray
    item_rate: np.ndarray


def cycles(visitor: np.ndarray, item: np.ndarray, day: np.ndarray, need: np.ndarray) -> Cycles:
    """From purchases: visitor and item numbers, days, shape (lines,) each; ``need`` numbers the items' needs.

    A need repeats where its purchases were followed by one of the same visitor and item MIN_SURPRISE standard
    deviations more often than if each visitor had drawn every line from what all bought.
    """
    needs = int(need.max(initial=-1)) + 1
    order = np.lexsort((day, item, visitor))
    visitor, item, day = visitor[order], item[order], day[order]
    end = day.max(initial=0.0)
    same = (visitor[1:] == visitor[:-1]) & (item[1:] == item[:-1])
    gap = np.r_[np.where(same, np.diff(day), np.inf), np.full(min(len(day), 1), np.inf)]
    # Lines of one day are one purchase.
    kept = gap >= 0.5
    visitor, item, day, gap = visitor[kept], item[kept], day[kept], gap[kept]
    settled = day <= end - WINDOW
    again = (gap <= WINDOW) & settled
    share = np.bincount(item, minlength=len(need)) / max(len(item), 1)
    chance = -np.expm1(-share[item] * _following(visitor, day))
    of = need[item]

    def per_need(values: np.ndarray) -> np.ndarray:
        return np.bincount(of[settled], values[settled], needs)

    count, repeated, expected = per_need(np.ones(len(of))), per_need(again), per_need(chance)
    overall = repeated.sum() / max(count.sum(), 1)
    spread = np.sqrt(np.maximum(per_need(chance * (1 - chance)), 1e-9))
    rate = (repeated + PRIOR * overall) / (count + PRIOR)
    item_count, item_again = (
        np.bincount(item[settled], values[settled], len(need)) for values in (np.ones(len(of)), again)
    )
    return Cycles(
        rate,
        expected / np.maximum(count, 1),
        (repeated >= MIN_REPEATS) & (repeated - expected >= MIN_SURPRISE * spread) & (rate >= MIN_RATE),
        _medians(of[np.isfinite(gap)], gap[np.isfinite(gap)], needs),
        (item_again + PRIOR * rate[need]) / (item_count + PRIOR),
    )


def own_cycle(gap: np.ndarray, baskets: np.ndarray, days: np.ndarray) -> np.ndarray:
    """A shopper's days between purchases: the mean ``gap`` of ``baskets`` (NaN for none), drawn to the need's ``days``.

    (own gaps·gap + PRIOR_GAPS·days) / (own gaps + PRIOR_GAPS) for ``baskets`` - 1 own gaps, shape as given.
    """
    known = ~np.isnan(gap)
    gaps = np.where(known, np.maximum(baskets - 1, 0), 0.0)
    blend = (gaps * np.where(known, gap, 0.0) + PRIOR_GAPS * days) / (gaps + PRIOR_GAPS)
    return np.where(np.isnan(days), gap, blend)


def bought_for_good(repeats: np.ndarray, baskets: np.ndarray) -> np.ndarray:
    """Whether an item that a shopper bought in so many own ``baskets`` is not offered to them again, shape as given.

    ``repeats`` of the items' needs. What somebody bought twice they may buy again.
    """
    return ~repeats & (baskets == 1)


def due(since: float, cycle: float) -> bool:
    """Whether something is about to be bought again, so many days ``since`` it was, by its `own_cycle`."""
    return since >= DUE * cycle


def _following(visitor: np.ndarray, day: np.ndarray) -> np.ndarray:
    """The lines of the same visitor in the WINDOW days after each line, that day's own not counted."""
    order = np.lexsort((day, visitor))
    # One key per (visitor, day), so that one search answers for all visitors.
    span = float(day.max(initial=0.0) - day.min(initial=0.0)) + 2 * WINDOW + 2
    rank = np.unique(visitor, return_inverse=True)[1]
    key = (rank * span + (day - day.min(initial=np.inf)))[order]
    following = np.empty(len(day))
    following[order] = np.searchsorted(key, key + WINDOW, "right") - np.searchsorted(key, key + 0.5)
    return following


def _medians(of: np.ndarray, values: np.ndarray, groups: int) -> np.ndarray:
    """The median of each group; that of all where a group has fewer than MIN_REPEATS, NaN without any."""
    order = np.lexsort((values, of))
    values, of = values[order], of[order]
    start = np.searchsorted(of, np.arange(groups))
    size = np.searchsorted(of, np.arange(groups), "right") - start
    medians = np.full(groups, np.median(values) if len(values) else np.nan)
    full = size >= MIN_REPEATS
    low, high = start[full] + (size[full] - 1) // 2, start[full] + size[full] // 2
    medians[full] = (values[low] + values[high]) / 2
    return medians
