"""Advantages of an upgrade over the anchor, from structured attributes: "+20 L, + rain cover"."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import NamedTuple

from django.utils.formats import number_format
from django.utils.translation import gettext

from ..strategies.upgrade_candidates import YES

MOST_CHANGES = 3
# Longer names and values are taken for sentences and ignored, as are further attributes.
LONGEST, MOST_ATTRIBUTES = 24, 50
_AMOUNT = re.compile(r"([+-]?\d{1,12}(?:[.,]\d{1,6})?)\s*([^\W\d_]{0,8}|%|\")\.?", re.UNICODE)
# "1,500" may be one and a half or one and a half thousand.
_AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}(?!\d)")
_NO = frozenset({"no", "false", "without", "none"})
# What exports write for missing values.
_UNKNOWN = frozenset({"nan", "inf", "-inf", "null", "n/a", "-"})
# Units of one kind in multiples of the smallest.
_UNITS = (
    {"g": 1.0, "kg": 1_000.0},
    {"mm": 1.0, "cm": 10.0, "m": 1_000.0},
    {"ml": 1.0, "cl": 10.0, "l": 1_000.0},
    {"mb": 1.0, "gb": 1_000.0, "tb": 1_000_000.0},
    {"w": 1.0, "kw": 1_000.0},
)


class Change(NamedTuple):
    """One difference in words.

    kind: GAINED to LOST, by which changes are ordered
    amount: the difference of two numbers; 0 for other changes
    """

    kind: int
    text: str
    amount: float = 0.0


GAINED, GREW, DIFFERS, SHRANK, LOST = range(5)


def compare(anchor: Mapping[str, object], offer: Mapping[str, object]) -> list[Change]:
    """The differences of ``offer`` from ``anchor``, gains first, at most MOST_CHANGES; never raises.

    Attributes are given by name, such as ``{"volume": "60 L", "rain cover": "yes", "colour": "red"}``. Amounts are
    compared if their units are equal or of one kind (kg and g). An attribute that only one of the two has is no
    difference, unless its value is "yes".
    """
    before, after = _readable(anchor), _readable(offer)
    units = Counter(amount[1].casefold() for amount in map(_amount, after.values()) if amount is not None)
    names = [*after, *(name for name in before if name not in after)]
    changes = [_change(name, before.get(name), after.get(name), units) for name in names]
    return sorted(filter(None, changes), key=lambda change: change.kind)[:MOST_CHANGES]


def _readable(attributes: Mapping[str, object]) -> dict[str, str]:
    """Short attribute values by label."""
    texts: dict[str, str] = {}
    for name, value in islice(attributes.items(), MOST_ATTRIBUTES):
        label, text = _words(name).replace("_", " ").strip(), _words(value)
        if label and text and text.casefold() not in _UNKNOWN:
            texts.setdefault(label, text)
    return texts


def _words(value: object) -> str:
    """A short text or number as text; empty for anything else, such as markup."""
    # Python raises for numbers of thousands of digits.
    if not isinstance(value, str | int | float) or (isinstance(value, int) and value.bit_length() > 64):
        return ""
    text = str(value)
    words = " ".join(text.split()) if len(text) <= LONGEST else ""
    return words if words.isprintable() and not {"<", ">"} & set(words) else ""


def _change(name: str, before: str | None, after: str | None, units: Mapping[str, int]) -> Change | None:
    had, has = _as_bool(before), _as_bool(after)
    if has is not None or had is not None:
        # A text other than yes or no is not comparable to them.
        if has and (before is None or had is False):
            return Change(GAINED, gettext("+ %(name)s") % {"name": name})
        if had and has is False:
            return Change(LOST, gettext("without %(name)s") % {"name": name})
        return None
    if before is None or after is None or before.casefold() == after.casefold():
        return None
    old, new = _amount(before), _amount(after)
    if old is not None and new is not None:
        return _amount_change(name, old, new, units)
    if old is not None or new is not None:
        return None
    return Change(DIFFERS, gettext("%(value)s instead of %(other)s") % {"value": after, "other": before})


def _as_bool(text: str | None) -> bool | None:
    """Whether a text means yes or no; None for any other."""
    if text is None or text.casefold() not in YES | _NO:
        return None
    return text.casefold() in YES


def _amount(text: str) -> tuple[float, str] | None:
    match = None if _AMBIGUOUS.match(text) else _AMOUNT.fullmatch(text)
    return (float(match[1].replace(",", ".")), match[2]) if match else None


def _amount_change(
    name: str, old: tuple[float, str], new: tuple[float, str], units: Mapping[str, int]
) -> Change | None:
    (before, old_unit), (after, unit) = old, new
    if old_unit.casefold() != unit.casefold():
        factor = _factor(old_unit, unit)
        if factor is None:
            return None
        before *= factor
    difference = round(after - before, 6)
    if not difference:
        return None
    figure = number_format(abs(difference), _decimals(abs(difference)))
    sign = "+" if difference > 0 else "−"
    # "+2 cm" alone does not distinguish height from width.
    words = [unit, name] if units[unit.casefold()] > 1 else [unit or name]
    kind = GREW if difference > 0 else SHRANK
    return Change(kind, " ".join(filter(None, [f"{sign}{figure}", *words])), difference)


def _factor(unit: str, other: str) -> float | None:
    """One ``unit`` in multiples of ``other``; None if they are not of one kind."""
    unit, other = unit.casefold(), other.casefold()
    return next((kind[unit] / kind[other] for kind in _UNITS if unit in kind and other in kind), None)


def _decimals(amount: float) -> int:
    return next((places for places in range(4) if round(amount, places) == amount), 3)
