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
}


def upgrade_sentence(catalog: Catalog, offer: Offer, product: Any, price: Decimal | None, beside: Beside | None) -> str:
    """What a live upgrade has more than the product beside it, and how much dearer it is now: "+20 L, 18 % more".

    Empty for other offers, and where the shop has no attributes to compare.
    """
    if offer.reason is not Reason.UPGRADE or beside is None:
        return ""
    if price is None or not beside.price:
        return ""
    parts = [change.text for change in compare(beside.attributes, catalog.compared_attributes(product))]
    percent = round(100 * (float(price / beside.price) - 1))
    dearer = [gettext("%(percent)s %% more") % {"percent": percent}] if percent >= 1 else []
    while parts and len(", ".join([*parts, *dearer])) > LONGEST_REASON:
        parts.pop()
    return ", ".join([*parts, *dearer]) if parts else ""


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
