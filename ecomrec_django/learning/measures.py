"""What several learners and pages measure alike."""

from __future__ import annotations

import numpy as np

from .types import FloatArray, IntArray, NumberArray

# Fewer would show what one customer bought, and let one customer move a list.
MIN_CUSTOMERS = 3
NEWTON_STEPS = 12
# Weight of everybody's shares among a shopper's own, in lines.
PRIOR_LINES = 100.0


def chance_shares(baskets: NumberArray, sizes: IntArray, weights: FloatArray | None = None) -> FloatArray:
    """The probability of each item to be any one line of a basket, so that popularity and basket size alone explain how
    many baskets hold it: Σ over the baskets of 1 - (1 - share)^size = ``baskets``. Shape of ``baskets``, 0…1.

    baskets: that hold each item
    sizes: items of every basket
    weights: how much every basket counts; None for 1 each

    Above the item's share of all lines, as a basket holds an item once.
    """
    count = np.bincount(sizes, weights)
    size = np.flatnonzero(count)
    count = count[size]
    # In every basket would be no chance.
    wanted = np.minimum(baskets, 0.999 * count.sum())
    rate = wanted / max(float((size * count).sum()), 1.0)
    # The sum is concave in the rate: Newton's method comes to the solution from below.
    for _ in range(NEWTON_STEPS):
        missed = np.exp(-np.multiply.outer(rate, size)) * count
        rate = rate + (wanted - count.sum() + missed.sum(axis=-1)) / np.maximum((missed * size).sum(axis=-1), 1e-9)
    return -np.expm1(-np.maximum(rate, 0.0))


def by_chance(share: FloatArray, others: NumberArray | float) -> FloatArray:
    """The probability that an item with this ``share`` of lines is among ``others`` more lines of a basket."""
    return -np.expm1(others * np.log1p(-np.minimum(share, 1 - 1e-12)))


def own_shares(with_item: FloatArray, lines: FloatArray | float, share: FloatArray) -> FloatArray:
    """A shopper's share of each item, shape as given: ``with_item`` of their ``lines``, smoothed by everybody's."""
    return (with_item + PRIOR_LINES * share) / (lines + PRIOR_LINES)


def expected_together(anchor: FloatArray, others: FloatArray, share: FloatArray) -> FloatArray:
    """Baskets of an anchor that hold an item by chance, shape as given: anchor·(1 - (1 - share)^others).

    anchor: baskets with it
    others: more items in each of these, on average
    share: of the item, see `chance_shares`
    """
    return anchor * by_chance(share, others)


def excess_log_likelihood_ratio(count: FloatArray, expected: FloatArray, total: FloatArray) -> FloatArray:
    """Signed log-likelihood ratio of a binomial ``count`` of ``total`` against the ``expected`` one, shape as given.

    2·(count·log(count / expected) + (total - count)·log((total - count) / (total - expected))); chance exceeds 10.8
    less than once in a thousand.
    """
    ratio = np.zeros(np.shape(count))
    with np.errstate(divide="ignore", invalid="ignore"):
        for found, by_chance_found in ((count, expected), (total - count, total - expected)):
            part = found * np.log(found / np.maximum(by_chance_found, 1e-12))
            ratio += np.where(found > 0, part, 0.0)
    return np.sign(count - expected) * 2.0 * np.maximum(ratio, 0.0)


def log_likelihood_ratio(both: FloatArray, anchor: FloatArray, item: FloatArray, total: float) -> FloatArray:
    """Dunning's signed log-likelihood ratio of pairs, shape as given.

    ``both`` of ``total`` baskets hold both items, ``anchor`` and ``item`` hold each. Positive: more often together than
    by chance; 10.8 is passed by chance once in a thousand. Source: T. Dunning, Accurate Methods for the Statistics of
    Surprise and Coincidence, Computational Linguistics 19 (1993).
    """
    cells = [both, anchor - both, item - both, total - anchor - item + both]
    expected = [anchor * item, anchor * (total - item), item * (total - anchor), (total - anchor) * (total - item)]
    ratio = np.zeros(np.shape(both))
    with np.errstate(divide="ignore", invalid="ignore"):
        for cell, by_chance in zip(cells, expected, strict=True):
            count = np.maximum(cell, 0.0)
            ratio += np.where((count > 0) & (by_chance > 0), count * np.log(count * total / by_chance), 0.0)
    return np.sign(both * total - anchor * item) * 2.0 * np.maximum(ratio, 0.0)
