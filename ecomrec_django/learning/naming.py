"""Readable names of segments, made from what sets them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain, combinations
from typing import TYPE_CHECKING

import numpy as np

from .behaviour import AISLE, OTHERS

if TYPE_CHECKING:
    from .segments import Found

# Words in a name at most.
WORDS = 3
# Standard deviations from the mean of all that make a difference worth a word.
MIN_APART = 0.3
# Baskets in 30 days from which on a word holds.
RHYTHMS = ((8.0, "often"), (3.0, "weekly"), (1.5, "fortnightly"), (0.7, "monthly"), (0.0, "seldom"))
ENGLISH = {
    "everybody": "everybody",
    "outliers": "like nobody else",
    "often": "several times a week",
    "weekly": "weekly",
    "fortnightly": "every two weeks",
    "monthly": "monthly",
    "seldom": "seldom",
    "recency_high": "not seen for long",
    "recency_low": "seen lately",
    "money_high": "spends much",
    "money_low": "spends little",
    "basket_value_high": "large baskets",
    "basket_value_low": "small baskets",
    "breadth_high": "buys many kinds",
    "breadth_low": "buys few kinds",
    "price_high": "high price level",
    "price_low": "low price level",
    "weekend_high": "at weekends",
    "weekend_low": "on weekdays",
    "morning_high": "in the morning",
    "morning_low": "seldom in the morning",
    "evening_high": "in the evening",
    "evening_low": "seldom in the evening",
    "views_high": "looks at much",
    "views_low": "looks at little",
}
_NUMBER = "number:"


def words(
    names: tuple[str, ...], labels: Iterable[int], apart: np.ndarray, frequency: np.ndarray
) -> list[tuple[str, ...]]:
    """Keys of a name per segment, at most WORDS, the greatest differences first; no two segments get the same ones.

    ``apart``, shape (segments, names): standard deviations of the columns ``names`` from the mean of all ·
    ``frequency``, shape (segments,): baskets in 30 days.
    """
    taken: set[frozenset[str]] = set()
    found = []
    for label, differences, often in zip(labels, apart, frequency, strict=True):
        order = np.argsort(-np.abs(differences), kind="stable")
        keys = [(_key(names[at], differences[at], often), abs(differences[at])) for at in order if differences[at]]
        all_keys = [key for key, _ in keys if key]
        strong = sum(1 for key, far in keys if key and far >= MIN_APART)
        choices = chain.from_iterable(
            combinations(all_keys, size) for size in range(min(max(strong, 1), WORDS), WORDS + 1)
        )
        alone = (*all_keys[: WORDS - 1], f"{_NUMBER}{label}")
        chosen = next((choice for choice in choices if frozenset(choice) not in taken), alone)
        taken.add(frozenset(chosen))
        found.append(chosen)
    return found


def described(found: Found, aisle_names: Mapping[int, str]) -> str:
    """The words of a segment in English; aisles that share a name are told apart by their number."""
    shared = Counter(aisle_names.values())

    def english(word: str) -> str:
        kind, _, number = word.partition(":")
        if word.startswith(_NUMBER):
            return f"no. {number}"
        if not number:
            return ENGLISH[kind]
        name = aisle_names.get(int(number), "")
        if not name:
            return f"much of aisle {number}"
        return f"much {name}" if shared[name] == 1 else f"much {name} ({number})"

    return " · ".join(english(word) for word in found.words)


def _key(name: str, apart: float, often: float) -> str:
    """The word for a difference, "" where there is none: that little is bought of one aisle tells nothing."""
    if name.startswith(AISLE):
        return name if apart > 0 and name != OTHERS else ""
    if name == "frequency":
        return next(word for least, word in RHYTHMS if often >= least)
    return f"{name.removesuffix('_level')}_{'high' if apart > 0 else 'low'}"
