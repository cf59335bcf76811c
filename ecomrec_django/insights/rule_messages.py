"""Messages for staff about why an offer is excluded."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ..strategies.base import Violation, ViolationCode

MESSAGES: Mapping[str, Promise | str] = {
    ViolationCode.BLOCKED: _("Blocked for this item"),
    ViolationCode.ANCHOR: _("It is the product on the page"),
    ViolationCode.IN_CART: _("Already in the cart"),
    ViolationCode.SHOWN: _("Already shown in another block on the page"),
    ViolationCode.SAME_AISLE: _("Same category as an item in the cart"),
    ViolationCode.MISSING: _("No longer in the catalog, or not visible to this shopper"),
    ViolationCode.UNAVAILABLE: _("Not available right now"),
    ViolationCode.NO_PRICE: _("Has no price right now"),
    ViolationCode.AISLE_FULL: _("Enough offers from its category rank higher"),
    ViolationCode.DUPLICATE_TITLE: _("An offer with the same title ranks higher"),
    ViolationCode.OUT_OF_BAND: _("Its price is outside the price band of the experiment's arm"),
    ViolationCode.HIDDEN_BY_RULE: _("Hidden by the rule “%(name)s”"),
    ViolationCode.NOT_ALLOWED_BY_RULES: _("Not among the offers that the rules allow here: %(names)s"),
    ViolationCode.SAME_AISLE_AS_ANCHOR: _("Same category as the product on the page"),
    ViolationCode.PRICE_UNKNOWN: _("A price needed for the comparison is unknown"),
    ViolationCode.NOT_MORE_EXPENSIVE: _("Not more expensive than the product on the page"),
    ViolationCode.BELOW_PRICE_BAND: _("Barely more expensive than the product on the page"),
    ViolationCode.ABOVE_PRICE_BAND: _("Above the price that shoppers accept here when they trade up"),
    ViolationCode.SAME_TITLE: _("Has the same title as the product on the page"),
    ViolationCode.SMALLER_AMOUNT: _("Holds less than the product on the page, for more money"),
    ViolationCode.HIGHER_UNIT_PRICE: _("Costs more for the same amount, without an advantage to name"),
    ViolationCode.ABOVE_EXTRA_PRICE: _("More expensive than the product on the page"),
    ViolationCode.OTHER_NEED: _("Serves a different need from the product on the page"),
    ViolationCode.TOO_WEAK: _("Not in the list: other offers have stronger evidence"),
}


def rule_message(violation: Violation) -> str:
    """The message of a violation; for codes of a project's own strategies, the code itself."""
    params = violation.params
    if violation.code == ViolationCode.TOO_WEAK and "orders" in params:
        text = ngettext(
            "Not in the list: %(orders)s order contains both (customers: %(customers)s), "
            "and other offers have stronger evidence",
            "Not in the list: %(orders)s orders contain both (customers: %(customers)s), "
            "and other offers have stronger evidence",
            int(params["orders"]),
        )
        return text % params
    message = MESSAGES.get(violation.code)
    return violation.code if message is None else str(message) % params
