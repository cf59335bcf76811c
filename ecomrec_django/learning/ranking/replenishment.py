"""Replenishment: what shoppers buy again, and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..types import BoolArray, FloatArray, IntArray, NumberArray

# Days within which a second purchase counts as a repeat; purchases with less time to go are left out of the rate.
WINDOW = 90.0
# Weight, in purchases, of the rate of all needs in that of one need.
PRIOR = 20.0
# Minimum distance from the rate that chance explains, in standard deviations, for a need to count as replenishable.
MIN_SURPRISE = 3.0
MIN_RATE = 0.05
MIN_REPEATS = 5
# Weight, in gaps, of the need's cycle in a shopper's own.
PRIOR_GAPS = 2.0
# Share of a cycle, which is a mean, after which the next purchase is due: many come early. Of .3, .5, .8 and 1, the
# highest that predicts more of Complete Journey's validation slice than what a shopper bought most.
DUE = 0.5


@dataclass(frozen=True, kw_only=True)
class Cycles:
    """Repeat purchases of each need, shape (needs,) unless said otherwise.

    rate: probability that a bought item is bought again within WINDOW days, smoothed, 0…1
    expected: the rate that chance alone would give, 0…1
    repeats: whether the rate is significantly above that
    days: median days between purchases; that of all needs below MIN_REPEATS repeats, NaN if nothing is bought again
    item_rate: the rate per item, smoothed by its need's, shape (items,)
    """

    rate: FloatArray
    expected: FloatArray
    repeats: BoolArray
    days: FloatArray
    item_rate: FloatArray


def fit_cycles(visitor: IntArray, item: IntArray, day: FloatArray, need: IntArray) -> Cycles:
    """From purchases: visitor and item numbers, days, shape (lines,) each; ``need`` numbers the items' needs.

    A need repeats if the same visitor bought the same item again MIN_SURPRISE standard deviations more often than if
    each visitor had drawn every line at random from all purchases.
    """
    needs = int(need.max(initial=-1)) + 1
    order = np.lexsort((day, item, visitor))
    visitor, item, day = visitor[order], item[order], day[order]
    end = day.max(initial=0.0)
    same = (visitor[1:] == visitor[:-1]) & (item[1:] == item[:-1])
    gap = np.r_[np.where(same, np.diff(day), np.inf), np.full(min(len(day), 1), np.inf)]
    # Lines of one day are one purchase.
    last_line = gap >= 0.5
    visitor, item, day, gap = visitor[last_line], item[last_line], day[last_line], gap[last_line]
    settled = day <= end - WINDOW
    again = (gap <= WINDOW) & settled
    share = np.bincount(item, minlength=len(need)) / max(len(item), 1)
    probability = -np.expm1(-share[item] * _following(visitor, day))
    line_need = need[item]

    def per_need(values: NumberArray | BoolArray) -> FloatArray:
        return np.bincount(line_need[settled], values[settled], needs).astype(np.float64, copy=False)

    count, repeated, expected = per_need(np.ones(len(item))), per_need(again), per_need(probability)
    overall = repeated.sum() / max(count.sum(), 1)
    spread = np.sqrt(np.maximum(per_need(probability * (1 - probability)), 1e-9))
    rate = (repeated + PRIOR * overall) / (count + PRIOR)
    item_count, item_again = (
        np.bincount(item[settled], values[settled], len(need)) for values in (np.ones(len(item)), again)
    )
    followed = np.isfinite(gap)
    return Cycles(
        rate=rate,
        expected=expected / np.maximum(count, 1),
        repeats=(repeated >= MIN_REPEATS) & (repeated - expected >= MIN_SURPRISE * spread) & (rate >= MIN_RATE),
        days=_medians(line_need[followed], gap[followed], needs),
        item_rate=(item_again + PRIOR * rate[need]) / (item_count + PRIOR),
    )


def own_cycle(gap: FloatArray, baskets: FloatArray, days: FloatArray) -> FloatArray:
    """A shopper's days between purchases: the mean ``gap`` of ``baskets`` (NaN for none), drawn to the need's ``days``.

    (own gaps·gap + PRIOR_GAPS·days) / (own gaps + PRIOR_GAPS) for ``baskets`` - 1 own gaps, shape as given.
    """
    known = ~np.isnan(gap)
    gaps = np.where(known, np.maximum(baskets - 1, 0), 0.0)
    blend = (gaps * np.where(known, gap, 0.0) + PRIOR_GAPS * days) / (gaps + PRIOR_GAPS)
    return np.where(np.isnan(days), gap, blend)


def bought_for_good(repeats: BoolArray, baskets: FloatArray) -> BoolArray:
    """Whether an item is never offered again to a shopper who bought it in ``baskets`` own baskets, shape as given.

    repeats: `Cycles.repeats` of the items' needs. An item bought twice may be bought a third time.
    """
    return ~repeats & (baskets == 1)


def due_scores(since: float, cycle: float) -> bool:
    """Whether the next purchase is due, ``since`` days after the latest one, with the `own_cycle` ``cycle`` in days."""
    return since >= DUE * cycle


def _following(visitor: IntArray, day: FloatArray) -> FloatArray:
    """Number of lines of the same visitor in the WINDOW days after each line, not counting those of the same day."""
    order = np.lexsort((day, visitor))
    # One key per (visitor, day), so that one search covers all visitors.
    span = float(day.max(initial=0.0) - day.min(initial=0.0)) + 2 * WINDOW + 2
    rank = np.unique(visitor, return_inverse=True)[1]
    key = (rank * span + (day - day.min(initial=np.inf)))[order]
    following = np.empty(len(day))
    following[order] = np.searchsorted(key, key + WINDOW, "right") - np.searchsorted(key, key + 0.5)
    return following


def _medians(group: IntArray, values: FloatArray, groups: int) -> FloatArray:
    """Median of each group; that of all values if a group has fewer than MIN_REPEATS, NaN without values."""
    order = np.lexsort((values, group))
    values, group = values[order], group[order]
    start = np.searchsorted(group, np.arange(groups))
    size = np.searchsorted(group, np.arange(groups), "right") - start
    medians = np.full(groups, np.median(values) if len(values) else np.nan)
    full = size >= MIN_REPEATS
    low, high = start[full] + (size[full] - 1) // 2, start[full] + size[full] // 2
    medians[full] = (values[low] + values[high]) / 2
    return medians
