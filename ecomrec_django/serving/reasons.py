"""Why an offer is shown, in a sentence for the shopper that claims no more than was measured."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext, gettext_noop, ngettext

from ..catalog.adapter import Catalog
from ..learning.replenishment import due
from ..strategies.base import Offer, Reason, evidence_of
from .beside import Beside
from .comparison import compare

# A smaller crowd is no argument, and may point at a person.
FEWEST_CUSTOMERS = 3
# Share by which a mean rating has to be higher before it is said.
BETTER_RATED = 0.05
# Letters of a comparison.
LONGEST_REASON = 80
_SENTENCES = {
    Reason.AISLE: gettext_noop("Often bought beside products of this kind"),
    Reason.SIMILAR: gettext_noop("Often bought with products like this"),
    Reason.POPULAR: gettext_noop("Popular in this shop"),
    Reason.PINNED: gettext_noop("Recommended by the shop"),
    Reason.SEEN: gettext_noop("You looked at it lately"),
    Reason.TASTE: gettext_noop("Liked by customers with a taste like yours"),
    Reason.INTEREST: gettext_noop("Of a kind that you care for"),
    Reason.ALIKE: gettext_noop("For the same use"),
    Reason.EXTRA: gettext_noop("A small extra"),
}


def upgrade_sentence(catalog: Catalog, offer: Offer, product: Any, price: Decimal | None, beside: Beside | None) -> str:
    """What a live upgrade has more than the product beside it: "+20 L, better rated, 18 % more".

    Empty for other offers, and where neither attributes nor ratings speak for it.
    """
    if offer.reason is not Reason.UPGRADE or beside is None:
        return ""
    if price is None or not beside.price:
        return ""
    parts = [change.text for change in compare(beside.attributes, catalog.compared_attributes(product))]
    percent = round(100 * (float(price / beside.price) - 1))
    dearer = [gettext("%(percent)s %% more") % {"percent": percent}] if percent >= 1 else []
    rated = [gettext("better rated")] if _better_rated(catalog.base_rating(product), beside.rating) else []
    while parts and len(", ".join([*parts, *rated, *dearer])) > LONGEST_REASON:
        parts.pop()
    if not (parts or rated):
        return ""
    return ", ".join([*(parts or [gettext("Same use")]), *rated, *dearer])


def _better_rated(rating: float | None, other: float | None) -> bool:
    return rating is not None and other is not None and rating >= (1 + BETTER_RATED) * other


def sentence(offer: Offer) -> str:
    """The reason of ``offer`` in the active language; empty where there is nothing honest to say."""
    evidence = evidence_of(offer)
    if offer.reason is Reason.TOGETHER:
        orders = int(evidence.get("orders") or 0)
        if not orders or (evidence.get("customers") or 0) < FEWEST_CUSTOMERS:
            return gettext("Often bought together")
        return ngettext("Bought together in %(orders)s order", "Bought together in %(orders)s orders", orders) % {
            "orders": orders if orders < 1000 else number_format(orders, 0, force_grouping=True)
        }
    if offer.reason is Reason.UPGRADE:
        more = round(100 * ((evidence.get("ratio") or 1.0) - 1))
        return gettext("Same use, %(percent)s %% more") % {"percent": more} if more >= 1 else gettext("Same use")
    if offer.reason is Reason.AGAIN:
        cycle, days = evidence.get("cycle"), evidence.get("days")
        if cycle and days and due(days, cycle):
            return gettext("It may be time to buy it again")
        times = int(evidence.get("baskets") or 0)
        return ngettext("You bought it %(times)s time", "You bought it %(times)s times", times) % {"times": times}
    return gettext(_SENTENCES[offer.reason]) if offer.reason in _SENTENCES else ""
