"""Reasons of offers: a sentence for the shopper that claims no more than was measured."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from django.utils.formats import number_format
from django.utils.translation import gettext, gettext_noop, ngettext, ngettext_lazy

from ..learning.measures import MIN_CUSTOMERS
from ..learning.ranking.replenishment import due_scores
from ..strategies.base import Offer, Reason, evidence_of
from ..strategies.upgrade_candidates import MIN_BRAND_STEPS

_SENTENCES = {
    Reason.AISLE: gettext_noop("Often bought with this kind of product"),
    Reason.SIMILAR: gettext_noop("Often bought with products like this"),
    Reason.POPULAR: gettext_noop("Popular in this shop"),
    Reason.PINNED: gettext_noop("Recommended by the shop"),
    Reason.SEEN: gettext_noop("You viewed this recently"),
    Reason.TASTE: gettext_noop("Popular with customers like you"),
    Reason.INTEREST: gettext_noop("Matches your interests"),
    Reason.ALIKE: gettext_noop("For the same use"),
    Reason.EXTRA: gettext_noop("A small extra"),
}

# Days of a unit, the count from which the next is used, and its words.
_AGO = (
    (1.0, 14, ngettext_lazy("%(count)s day ago", "%(count)s days ago", "count")),
    (7.0, 9, ngettext_lazy("%(count)s week ago", "%(count)s weeks ago", "count")),
    (30.44, 24, ngettext_lazy("%(count)s month ago", "%(count)s months ago", "count")),
    (365.25, inf, ngettext_lazy("%(count)s year ago", "%(count)s years ago", "count")),
)


def sentence(offer: Offer) -> str:
    """The reason of ``offer`` in the active language; empty if there is none to give."""
    evidence = evidence_of(offer)
    if offer.reason is Reason.TOGETHER:
        orders = int(evidence.get("orders") or 0)
        if not orders or (evidence.get("customers") or 0) < MIN_CUSTOMERS:
            return gettext("Often bought together")
        return ngettext("Bought together in %(orders)s order", "Bought together in %(orders)s orders", orders) % {
            "orders": orders if orders < 1000 else number_format(orders, 0, force_grouping=True)
        }
    if offer.reason is Reason.UPGRADE:
        return _upgrade_evidence(evidence)
    if offer.reason is Reason.AGAIN:
        return _habit(evidence)
    return gettext(_SENTENCES[offer.reason]) if offer.reason in _SENTENCES else ""


def _habit(evidence: Mapping[str, float | None]) -> str:
    """How often a shopper bought something, and when last if it is due."""
    times, cycle, days = int(evidence.get("baskets") or 0), evidence.get("cycle"), evidence.get("days")
    if not (cycle and days and due_scores(days, cycle)):
        return ngettext("You bought this before", "You bought this %(times)s times", times) % {"times": times}
    said = ngettext("You bought this %(ago)s", "You bought this %(times)s times, the last time %(ago)s", times)
    return said % {"times": times, "ago": _ago(days)}


def _ago(days: float) -> str:
    """How long ago something was, in words."""
    if days < 2:
        return gettext("yesterday") if days >= 1 else gettext("today")
    count, said = next((count, said) for unit, most, said in _AGO if (count := round(days / unit)) < most)
    return said % {"count": count}


def _upgrade_evidence(evidence: Mapping[str, float | None]) -> str:
    """The first gain of an upgrade that was known at the training."""
    if (evidence.get("size") or 0) > 1:
        return gettext("A larger size")
    if evidence.get("rating"):
        return gettext("Better rated")
    if evidence.get("features"):
        return gettext("Has more features")
    if (evidence.get("brand") or 0) >= MIN_BRAND_STEPS:
        return gettext("Customers move up to this brand")
    if (evidence.get("switchers") or 0) >= MIN_CUSTOMERS:
        return gettext("Customers move up to this")
    return gettext("For the same use")
