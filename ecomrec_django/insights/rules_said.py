"""The guard's rules in words for the staff."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

SAID: dict[str, Any] = {
    "blocked": _("Blocked beside this item by a merchant"),
    "anchor": _("It is the product of the page itself"),
    "in_cart": _("It is in the cart already"),
    "shown": _("Another block of the page shows it already"),
    "same_aisle": _("Of the same category as something in the cart"),
    "missing": _("Not in the catalog any more, or not visible to this customer"),
    "unavailable": _("Not available now"),
    "no_price": _("It has no price now"),
    "aisle_full": _("Enough offers of its category stand before it"),
    "out_of_band": _("Its price lies outside of the band of the experiment's arm"),
    "same aisle as an anchor": _("Of the same category as the product of the page"),
    "price unknown": _("A price that has to be compared is not known"),
    "not dearer": _("Not dearer than the product of the page"),
    "below the price band": _("Hardly dearer than the product of the page"),
    "above the price band": _("Dearer than people go who move up here"),
    "dearer than an extra": _("Dearer than the product of the page"),
    "other_need": _("It answers another need than the product of the page"),
    "too_weak": _("Others have more that speaks for them: it is not in the list"),
}
_HIDDEN = re.compile(r"hidden by “(.*)”", re.DOTALL)
_NOT_AMONG = re.compile(r"not among (.*)", re.DOTALL)
_TOO_WEAK = re.compile(r"too_weak (\d+) (\d+)")


def said(rule: str) -> str:
    """A rule as `guard.LeftOut` or `explain.why_absent` names it, in words; a strategy's own as it is."""
    if rule in SAID:
        return str(SAID[rule])
    if found := _HIDDEN.fullmatch(rule):
        return str(_("Hidden by the rule “%(name)s”") % {"name": found[1]})
    if found := _NOT_AMONG.fullmatch(rule):
        return str(_("Not among what the rules allow here: %(names)s") % {"names": found[1]})
    if found := _TOO_WEAK.fullmatch(rule):
        orders, customers = int(found[1]), int(found[2])
        text = ngettext(
            "Not in the list: %(orders)s order holds both (customers: %(customers)s), and others have more that speaks "
            "for them",
            "Not in the list: %(orders)s orders hold both (customers: %(customers)s), and others have more that speaks "
            "for them",
            orders,
        )
        return text % {"orders": orders, "customers": customers}
    return rule
