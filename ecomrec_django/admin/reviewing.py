"""What a button on a list's page decides: read from the request, done by `pipeline.decisions`, told in a sentence."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..errors import DataError
from ..models import Category, Decision, Item, OfferList
from ..pipeline import decisions

# Buttons of one offer, whose value is its external id.
OF_AN_OFFER = ("pin", "block", "undo", "approve", "up", "down", "hide_item", "hide_pair")
# Before the names of buttons on a page of the shop's own.
PREFIX = "ecomrec_"
# Buttons of a whole list, or a decision's key.
OF_A_LIST = ("approve_all", "order", "undo_decision")


def may_review(user: Any) -> bool:
    """Who may approve, pin, order, block and undo."""
    return bool(user.has_perm("ecomrec.review_offers"))


def act(request: HttpRequest, offer_list: OfferList) -> str:
    """Do what the request's button says; returns what was done. Raises PermissionDenied, Http404 or DataError."""
    if not may_review(request.user):
        raise PermissionDenied
    # On a page of the shop's own, its form has names that might be ours.
    prefix = PREFIX if any(name.startswith(PREFIX) for name in request.POST) else ""
    note = request.POST.get(f"{prefix}note", "").strip()
    name = next((one for one in (*OF_AN_OFFER, *OF_A_LIST) if prefix + one in request.POST), None)
    if name == "undo_decision":
        return undone(request.user, request.POST["undo_decision"])
    if name == "approve_all":
        approved = decisions.approve(request.user, offer_list, note=note).items
        return ngettext("%(count)s offer is approved.", "%(count)s offers are approved.", len(approved)) % {
            "count": len(approved)
        }
    if name == "order":
        _check_anchor(offer_list)
        decisions.order(request.user, offer_list, request.POST.getlist("order"), note)
        return _("The order is kept.")
    offer = Item.objects.filter(external_id=request.POST.get(f"{prefix}{name}", "")).select_related("category").first()
    if name is None or offer is None:
        raise DataError(_("Nothing was changed: this item cannot be pinned or blocked here."))
    return _about(request.user, name, offer_list, offer, note)


def undone(user: Any, key: str) -> str:
    """Undo the decision with this key. Raises Http404 or DataError."""
    decision = Decision.objects.filter(pk=int(key)).first() if key.isdecimal() and len(key) < 19 else None
    if decision is None:
        raise Http404(_("There is no such decision."))
    decisions.undo(user, decision)
    return _("Undone: it is as it was before.")


def _about(user: Any, name: str, offer_list: OfferList, offer: Item, note: str) -> str:
    said = {"item": offer}
    if name == "approve":
        decisions.approve(user, offer_list, [offer.external_id], note)
        return _("“%(item)s” is approved.") % said
    if name == "hide_item":
        decisions.hide_item(user, offer, note)
        return _("“%(item)s” is offered nowhere any more.") % said
    _check_anchor(offer_list)
    if name == "hide_pair":
        beside = offer_list.anchor.category if offer_list.anchor else None
        if beside is None or offer.category is None:
            raise DataError(_("Both items need a category for that."))
        decisions.hide_pair(user, offer_list.strategy, beside, offer.category, note)
        return _("%(category)s is not offered beside %(beside)s any more.") % {
            "category": _name(offer.category),
            "beside": _name(beside),
        }
    if name in ("up", "down"):
        decisions.move(user, offer_list, offer, -1 if name == "up" else 1, note)
        return _("“%(item)s” has moved.") % said
    if name == "pin":
        decisions.pin(user, offer_list, offer, note)
        return _("“%(item)s” is pinned.") % said
    if name == "block":
        decisions.block(user, offer_list, offer, note)
        return _("“%(item)s” is blocked.") % said
    decisions.follow(user, offer_list, offer, note)
    return _("“%(item)s” follows the learned list again.") % said


def _name(category: Category) -> str:
    return f"“{category.name}”"


def _check_anchor(offer_list: OfferList) -> None:
    if offer_list.anchor_id is None:
        raise Http404(_("Only in the list of an item can offers be pinned or blocked."))
