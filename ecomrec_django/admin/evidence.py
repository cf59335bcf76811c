"""The reason of an offer and the figures behind it, in words and with as many digits as mean something."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from ..strategies.base import Offer, Reason, evidence_of

REASONS: dict[Reason, Any] = {
    Reason.TOGETHER: _("Bought together"),
    Reason.AISLE: _("Bought beside this aisle"),
    Reason.SIMILAR: _("Bought with a product like it"),
    Reason.UPGRADE: _("A better answer to the same need"),
    Reason.POPULAR: _("Bestseller"),
    Reason.PINNED: _("Pinned by a merchant"),
    Reason.AGAIN: _("Bought again and again"),
    Reason.SEEN: _("Looked at lately"),
    Reason.TASTE: _("Bought by shoppers with a like taste"),
    Reason.INTEREST: _("Of a kind that the shopper cares for"),
    Reason.ALIKE: _("Another answer to the same need"),
    Reason.EXTRA: _("Of another kind, at the price of an extra"),
}

# Evidence name -> what it is called, and how it is written: decimals of a number, "times" or "percent".
NAMES: dict[str, tuple[Any, int | str]] = {
    "orders": (_("Orders with both"), 0),
    "customers": (_("Customers, at least"), 0),
    "expected": (_("Expected by chance"), 1),
    "llr": (_("Log-likelihood ratio"), 1),
    "lift": (_("Lift"), "times"),
    "substitutability": (_("Seen as substitutes"), "percent"),
    "chance": (_("Share of its aisle's orders"), "percent"),
    "similarity": (_("Similarity"), "percent"),
    "ratio": (_("Price against the anchor"), "times"),
    "low": (_("Price band from"), "times"),
    "high": (_("Price band to"), "times"),
    "switchers": (_("Moved from one to the other"), 0),
}


class Figure(NamedTuple):
    """One line of evidence, ready to be read."""

    label: str
    value: str


def reason_label(reason: Reason) -> str:
    return str(REASONS[reason])


def figures(offer: Offer) -> list[Figure]:
    """The evidence of an offer; a figure that was not measured is left out."""
    return [
        Figure(str(NAMES[name][0]) if name in NAMES else name, written(value, NAMES.get(name, ("", 3))[1]))
        for name, value in evidence_of(offer).items()
        if value is not None
    ]


def written(value: float, form: int | str) -> str:
    """A number with ``form`` decimals, or as "times" or "percent"."""
    if form == "percent":
        return f"{rounded(100 * value, 1 if 0 < abs(value) < 0.1 else 0)} %"
    if form == "times":
        return f"× {rounded(value, 2 if value < 100 else 0)}"
    return rounded(value, int(form))


def rounded(value: float, decimals: int) -> str:
    """A number in the user's language; ``number_format`` alone cuts digits off."""
    return number_format(round(value, decimals), decimals, force_grouping=True)
