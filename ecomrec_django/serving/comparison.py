"""What an upgrade has that the product beside it has not: "+20 L, + rain cover", told from structured attributes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import NamedTuple

from django.utils.formats import number_format
from django.utils.translation import gettext

MOST_CHANGES = 3
# Longer names and values are sentences, and more attributes than these are not looked at.
LONGEST, MOST_ATTRIBUTES = 24, 50
_AMOUNT = re.compile(r"([+-]?\d{1,12}(?:[.,]\d{1,6})?)\s*([^\W\d_]{0,8}|%|\")\.?", re.UNICODE)
# A thousand and a half, or one and a half: "1,500" may be either.
_AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}(?!\d)")
_YES, _NO = frozenset({"yes", "true", "with"}), frozenset({"no", "false", "without", "none"})
# What exports write for a value that is not there.
_UNKNOWN = frozenset({"nan", "inf", "-inf", "null", "n/a", "-"})
# Units of one kind by how many of the least one they hold.
_UNITS = (
    {"g": 1.0, "kg": 1_000.0},
    {"mm": 1.0, "cm": 10.0, "m": 1_000.0},
    {"ml": 1.0, "cl": 10.0, "l": 1_000.0},
    {"mb": 1.0, "gb": 1_000.0, "tb": 1_000_000.0},
    {"w": 1.0, "kw": 1_000.0},
)


class Change(NamedTuple):
    """One difference in words; ``amount``: by how much a number grew, 0 where none did. ``kind`` orders them."""

    kind: int
    text: str
    amount: float = 0.0


GAINED, GREW, DIFFERS, SHRANK, LOST = range(5)


def compare(anchor: Mapping[str, object], offer: Mapping[str, object]) -> list[Change]:
    """What ``offer`` has more, other and less than ``anchor``, gains first, at most MOST_CHANGES; never raises.

    Attributes by name, such as ``{"volume": "60 L", "rain cover": "yes", "colour": "red"}``. Amounts are compared in
    one unit, or in two of one kind (kg and g); what one of the two does not say is no difference unless it is a yes.
    """
    ours, theirs = _readable(anchor), _readable(offer)
    units = Counter(amount[1].casefold() for amount in map(_amount, theirs.values()) if amount is not None)
    found = []
    for name in [*theirs, *(name for name in ours if name not in theirs)]:
        change = _change(name, ours.get(name), theirs.get(name), units)
        if change is not None:
            found.append(change)
    return sorted(found, key=lambda change: change.kind)[:MOST_CHANGES]


def _readable(attributes: Mapping[str, object]) -> dict[str, str]:
    """Short texts by their names in words."""
    found: dict[str, str] = {}
    for name, value in islice(attributes.items(), MOST_ATTRIBUTES):
        label, text = _words(name).replace("_", " ").strip(), _words(value)
        if label and text and text.casefold() not in _UNKNOWN:
            found.setdefault(label, text)
    return found


def _words(value: object) -> str:
    """A short text or number as text; "" for anything else, such as markup."""
    # Python refuses to write out a number of thousands of digits.
    if not isinstance(value, str | int | float) or (isinstance(value, int) and value.bit_length() > 64):
        return ""
    text = str(value)
    words = " ".join(text.split()) if len(text) <= LONGEST else ""
    return words if words.isprintable() and not {"<", ">"} & set(words) else ""


def _change(name: str, ours: str | None, theirs: str | None, units: Mapping[str, int]) -> Change | None:
    has, had = _says_yes(theirs), _says_yes(ours)
    if has is not None or had is not None:
        # What the other describes in words of its own is neither a yes nor a no.
        if has and (ours is None or had is False):
            return Change(GAINED, gettext("+ %(name)s") % {"name": name})
        if had and has is False:
            return Change(LOST, gettext("without %(name)s") % {"name": name})
        return None
    if ours is None or theirs is None or ours.casefold() == theirs.casefold():
        return None
    before, after = _amount(ours), _amount(theirs)
    if before is not None and after is not None:
        return _grown(name, before, after, units)
    if before is not None or after is not None:
        return None
    return Change(DIFFERS, gettext("%(value)s instead of %(other)s") % {"value": theirs, "other": ours})


def _says_yes(text: str | None) -> bool | None:
    """Whether a text says yes or no; None for neither."""
    if text is None or text.casefold() not in _YES | _NO:
        return None
    return text.casefold() in _YES


def _amount(text: str) -> tuple[float, str] | None:
    found = None if _AMBIGUOUS.match(text) else _AMOUNT.fullmatch(text)
    return (float(found[1].replace(",", ".")), found[2]) if found else None


def _grown(name: str, ours: tuple[float, str], theirs: tuple[float, str], units: Mapping[str, int]) -> Change | None:
    (before, unit), (after, shown) = ours, theirs
    if unit.casefold() != shown.casefold():
        factor = _factor(unit, shown)
        if factor is None:
            return None
        before *= factor
    more = round(after - before, 6)
    if not more:
        return None
    figure = number_format(abs(more), _decimals(abs(more)))
    sign = "+" if more > 0 else "−"
    # "+2 cm" alone does not tell the height from the width.
    words = [shown, name] if units[shown.casefold()] > 1 else [shown or name]
    return Change(GREW if more > 0 else SHRANK, " ".join(filter(None, [f"{sign}{figure}", *words])), more)


def _factor(unit: str, other: str) -> float | None:
    """How many of ``other`` one ``unit`` is; None where they are not of one kind."""
    one, two = unit.casefold(), other.casefold()
    return next((kind[one] / kind[two] for kind in _UNITS if one in kind and two in kind), None)


def _decimals(amount: float) -> int:
    return next((places for places in range(4) if round(amount, places) == amount), 3)
