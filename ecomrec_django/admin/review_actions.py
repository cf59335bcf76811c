"""Actions of the buttons on a list's page: read from the request and applied by `merchandising.decisions`."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..db import storable
from ..errors import DataError
from ..merchandising import decisions
from ..models import Category, Decision, Item, OfferList

# Buttons of one offer, whose value is its external id.
OF_AN_OFFER = ("pin", "block", "undo", "approve", "up", "down", "hide_item", "hide_pair")
# Prefix of the names of buttons on the shop's own pages.
PREFIX = "ecomrec_"
# Buttons of a whole list, and that of a decision, whose value is its key.
OF_A_LIST = ("approve_all", "order", "undo_decision")


def may_review(user: Any) -> bool:
    """Who may approve, pin, order, block and undo."""
    return bool(user.has_perm("ecomrec.review_offers"))


def apply_action(request: HttpRequest, offer_list: OfferList) -> str:
    """Apply the action of the pressed button; returns a message. Raises PermissionDenied, Http404 or DataError."""
    if not may_review(request.user):
        raise PermissionDenied
    # On the shop's own pages, the form may have fields with the same names.
    prefix = PREFIX if any(name.startswith(PREFIX) for name in request.POST) else ""
    note = storable(request.POST.get(f"{prefix}note", "").strip())
    name = next((button for button in (*OF_AN_OFFER, *OF_A_LIST) if prefix + button in request.POST), None)
    if name == "undo_decision":
        return undo_decision(request.user, request.POST["undo_decision"])
    if name == "approve_all":
        approved = decisions.approve(request.user, offer_list, note=note).items
        return ngettext("%(count)s offer approved.", "%(count)s offers approved.", len(approved)) % {
            "count": len(approved)
        }
    if name == "order":
        _check_anchor(offer_list)
        decisions.order(request.user, offer_list, [*map(storable, request.POST.getlist("order"))], note)
        return _("Order saved.")
    item = storable(request.POST.get(f"{prefix}{name}", ""))
    offer = Item.objects.filter(external_id=item).select_related("category").first()
    if name is None or offer is None:
        raise DataError(_("Nothing changed. This item cannot be pinned or blocked here."))
    return _about(request.user, name, offer_list, offer, note)


def undo_decision(user: Any, key: str) -> str:
    """Undo the decision with this key. Raises Http404 or DataError."""
    decision = Decision.objects.filter(pk=int(key)).first() if key.isdecimal() and len(key) < 19 else None
    if decision is None:
        raise Http404(_("There is no such decision."))
    decisions.undo(user, decision)
    return _("Decision undone.")


def _about(user: Any, name: str, offer_list: OfferList, offer: Item, note: str) -> str:
    params = {"item": offer}
    if name == "approve":
        decisions.approve(user, offer_list, [offer.external_id], note)
        return _("“%(item)s” is approved.") % params
    if name == "hide_item":
        decisions.hide_item(user, offer, note)
        return _("“%(item)s” is no longer offered anywhere.") % params
    _check_anchor(offer_list)
    if name == "hide_pair":
        anchor_category = offer_list.anchor.category if offer_list.anchor else None
        if anchor_category is None or offer.category is None:
            raise DataError(_("Both items need a category for this."))
        decisions.hide_pair(user, offer_list.strategy, anchor_category, offer.category, note)
        return _("%(category)s is no longer offered with %(anchor)s.") % {
            "category": _name(offer.category),
            "anchor": _name(anchor_category),
        }
    if name in ("up", "down"):
        decisions.move(user, offer_list, offer, -1 if name == "up" else 1, note)
        return _("“%(item)s” was moved.") % params
    if name == "pin":
        decisions.pin(user, offer_list, offer, note)
        return _("“%(item)s” is pinned.") % params
    if name == "block":
        decisions.block(user, offer_list, offer, note)
        return _("“%(item)s” is blocked.") % params
    decisions.follow(user, offer_list, offer, note)
    return _("“%(item)s” follows the trained list again.") % params


def _name(category: Category) -> str:
    return f"“{category.name}”"


def _check_anchor(offer_list: OfferList) -> None:
    if offer_list.anchor_id is None:
        raise Http404(_("Offers can only be pinned or blocked in the list of an item."))
