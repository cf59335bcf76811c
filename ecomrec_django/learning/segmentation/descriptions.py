"""Readable names of segments, from the features in which they differ most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, combinations

import numpy as np

from ..types import FloatArray
from .features import AISLE, OTHERS

# Maximum number of terms in a name.
MAX_WORDS = 3
# A difference from the overall mean is named from this many standard deviations.
MIN_DIFFERENCE = 0.3
# Minimum baskets in 30 days, and the key.
RHYTHMS = ((8.0, "often"), (3.0, "weekly"), (1.5, "fortnightly"), (0.7, "monthly"), (0.0, "seldom"))
ENGLISH = {
    "everybody": "all shoppers",
    "outliers": "outliers",
    "often": "several times a week",
    "weekly": "weekly",
    "fortnightly": "every two weeks",
    "monthly": "monthly",
    "seldom": "rarely",
    "recency_high": "inactive",
    "recency_low": "recently active",
    "money_high": "high spend",
    "money_low": "low spend",
    "basket_value_high": "large baskets",
    "basket_value_low": "small baskets",
    "breadth_high": "wide range",
    "breadth_low": "narrow range",
    "price_high": "high prices",
    "price_low": "low prices",
    "weekend_high": "at weekends",
    "weekend_low": "on weekdays",
    "morning_high": "in the morning",
    "morning_low": "rarely in the morning",
    "evening_high": "in the evening",
    "evening_low": "rarely in the evening",
    "views_high": "many page views",
    "views_low": "few page views",
}
_NUMBER = "number:"


def name_keys(
    names: tuple[str, ...], labels: Iterable[int], differences: FloatArray, frequency: FloatArray
) -> list[tuple[str, ...]]:
    """The keys of each segment's name, at most MAX_WORDS, largest differences first; no two names are equal.

    names: names of the features
    labels: labels of the segments
    differences: standard deviations from the overall mean, shape (segments, names)
    frequency: baskets in 30 days, shape (segments,)
    """
    used: set[frozenset[str]] = set()
    names_of_segments = []
    for label, row, baskets in zip(labels, differences, frequency, strict=True):
        order = np.argsort(-np.abs(row), kind="stable")
        ranked = [(_key(names[column], row[column], baskets), abs(row[column])) for column in order if row[column]]
        keys = [key for key, _ in ranked if key]
        strong = sum(1 for key, difference in ranked if key and difference >= MIN_DIFFERENCE)
        choices = chain.from_iterable(
            combinations(keys, size) for size in range(min(max(strong, 1), MAX_WORDS), MAX_WORDS + 1)
        )
        numbered = (*keys[: MAX_WORDS - 1], f"{_NUMBER}{label}")
        name = next((choice for choice in choices if frozenset(choice) not in used), numbered)
        used.add(frozenset(name))
        names_of_segments.append(name)
    return names_of_segments


def describe_words(keys: Sequence[str], aisle_names: Mapping[int, str]) -> str:
    """A name in English from the keys of `name_keys`; aisles with the same name are distinguished by their number."""
    shared = Counter(aisle_names.values())

    def english(key: str) -> str:
        kind, _, number = key.partition(":")
        if key.startswith(_NUMBER):
            return f"no. {number}"
        if not number:
            return ENGLISH[kind]
        name = aisle_names.get(int(number), "")
        if not name:
            return f"a lot of category {number}"
        return f"a lot of {name}" if shared[name] == 1 else f"a lot of {name} ({number})"

    return " · ".join(english(key) for key in keys)


def _key(name: str, difference: float, frequency: float) -> str:
    """The key of a difference; empty for a low share of an aisle, which does not characterise a segment."""
    if name.startswith(AISLE):
        return name if difference > 0 and name != OTHERS else ""
    if name == "frequency":
        return next(key for least, key in RHYTHMS if frequency >= least)
    return f"{name.removesuffix('_level')}_{'high' if difference > 0 else 'low'}"
