"""The reason of an offer and its evidence, formatted for staff."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _

from ...strategies.base import Offer, Reason, evidence_of
from .figures import format_number, percent

REASONS: dict[Reason, Any] = {
    Reason.TOGETHER: _("Bought together"),
    Reason.AISLE: _("Bought with this aisle"),
    Reason.SIMILAR: _("Bought with similar products"),
    Reason.UPGRADE: _("Better product for the same need"),
    Reason.POPULAR: _("Bestseller"),
    Reason.PINNED: _("Pinned manually"),
    Reason.AGAIN: _("Repeat purchase"),
    Reason.SEEN: _("Recently viewed"),
    Reason.TASTE: _("Bought by similar shoppers"),
    Reason.INTEREST: _("Matches the shopper's interests"),
    Reason.ALIKE: _("Alternative for the same need"),
    Reason.EXTRA: _("Low-priced extra from another category"),
}

# Evidence name -> label and format: decimals of a number, "times" or "percent".
NAMES: dict[str, tuple[Any, int | str]] = {
    "orders": (_("Orders with both"), 0),
    "customers": (_("Customers (minimum)"), 0),
    "expected": (_("Expected by chance"), 1),
    "llr": (_("Log-likelihood ratio"), 1),
    "lift": (_("Lift"), "times"),
    "substitutability": (_("Viewed as substitutes"), "percent"),
    "probability": (_("Purchase probability"), "percent"),
    "similarity": (_("Similarity"), "percent"),
    "ratio": (_("Price relative to the anchor"), "times"),
    "low": (_("Price band from"), "times"),
    "high": (_("Price band to"), "times"),
    "switchers": (_("Customers who traded up"), 0),
    "size": (_("Size relative to the anchor"), "times"),
    "rating": (_("Rating relative to the anchor"), "times"),
    "brand": (_("Trade-ups to its brand"), 0),
    "features": (_("Features that the anchor lacks"), 0),
}


class Figure(NamedTuple):
    """One line of evidence, formatted."""

    label: str
    value: str


def reason_label(reason: Reason) -> str:
    """A reason in words, for staff."""
    return str(REASONS[reason])


def figures(offer: Offer) -> list[Figure]:
    """The evidence of an offer, without unknown figures."""
    return [
        Figure(str(NAMES[name][0]) if name in NAMES else name, format_value(value, NAMES.get(name, ("", 3))[1]))
        for name, value in evidence_of(offer).items()
        if value is not None
    ]


def format_value(value: float, form: int | str) -> str:
    """A number with ``form`` decimals, or as "times" or "percent"."""
    if form == "percent":
        return percent(value, 1 if 0 < abs(value) < 0.1 else 0)
    if form == "times":
        return f"× {format_number(value, 2 if value < 100 else 0)}"
    return format_number(value, int(form))
