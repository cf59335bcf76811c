"""Decisions of staff about offers: applied, logged with user and note, and undone.

Decisions outlive releases: pins and blocks are overrides, hidden and limited products are rules, and approved offers
need not be approved again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from ..errors import DataError
from ..models import Category, Decision, Item, OfferList, Override, Rule, Segment
from ..strategies.base import decode_offers, encode_offers
from .rule_matches import REMEMBERED

Action = Decision.Action
# Fields of an override that an undo restores.
_OVERRIDE_FIELDS = ("action", "position", "segment_id", "note", "created_by_id")
_LIST_FIELDS = ("offers", "proposed", "unreviewed", "priority")
ListState = dict[str, Any]
_NO_CONDITIONS = (
    "id",
    "name",
    "action",
    "factor",
    "max_share",
    "discovery",
    "active",
    "note",
    "created",
    "created_by",
    *REMEMBERED,
)
# The fields that may narrow a rule.
_CONDITIONS = tuple(field.name for field in Rule._meta.concrete_fields if field.name not in _NO_CONDITIONS)
# Larger numbers of pins are hard to keep track of.
MOST_PINS = 20


@transaction.atomic
def pin(user: Any, offer_list: OfferList, offer: Item, note: str = "") -> Decision:
    """Show ``offer`` first, after other pins. Raises DataError if the list has no anchor, or for the anchor itself."""
    _check_pair(offer_list, offer, Override.Action.PIN)
    last = _pins(offer_list).exclude(offer=offer).aggregate(last=Max("position"))["last"] or 0
    decision = _start(user, Action.PIN, offer_list, [offer], note)
    _override(user, offer_list, offer, Override.Action.PIN, last + 1)
    return _finish(decision, [offer.external_id])


@transaction.atomic
def block(user: Any, offer_list: OfferList, offer: Item, note: str = "") -> Decision:
    """Stop offering ``offer`` for the list's anchor. Raises DataError as `pin`."""
    _check_pair(offer_list, offer, Override.Action.BLOCK)
    decision = _start(user, Action.BLOCK, offer_list, [offer], note)
    _override(user, offer_list, offer, Override.Action.BLOCK, 1)
    return _finish(decision, [offer.external_id])


@transaction.atomic
def follow(user: Any, offer_list: OfferList, offer: Item, note: str = "") -> Decision:
    """Remove the pin or block of ``offer``. Raises DataError as `pin`."""
    _check_pair(offer_list, offer)
    if not _overrides(offer_list, [offer]):
        raise DataError(_("This has already been decided."))
    decision = _start(user, Action.FOLLOW, offer_list, [offer], note)
    for override in _overrides(offer_list, [offer]):
        override.delete()
    return _finish(decision, [])


@transaction.atomic
def order(user: Any, offer_list: OfferList, items: Sequence[str], note: str = "") -> Decision:
    """Pin these external ids in this order, before any other pins.

    Raises DataError if the list has no anchor, or for an item that cannot be offered in it.
    """
    ids = list(dict.fromkeys(items))
    if not ids or len(ids) > MOST_PINS:
        raise DataError(_("Order from 1 to %(most)s offers.") % {"most": MOST_PINS})
    offers = {item.external_id: item for item in Item.objects.filter(external_id__in=ids).defer("description")}
    for external_id in ids:
        if external_id not in offers:
            raise DataError(_("Item “%(item)s” is not in the catalog.") % {"item": external_id})
        _check_pair(offer_list, offers[external_id])
    pinned = [override.offer for override in _pins(offer_list).select_related("offer").order_by("position", "pk")]
    ordered = [*(offers[name] for name in ids), *(offer for offer in pinned if offer.external_id not in offers)]
    if ordered == pinned:
        raise DataError(_("This has already been decided."))
    decision = _start(user, Action.ORDER, offer_list, ordered, note)
    for position, offer in enumerate(ordered, start=1):
        _override(user, offer_list, offer, Override.Action.PIN, position)
    return _finish(decision, ids)


def move(user: Any, offer_list: OfferList, offer: Item, by: int, note: str = "") -> Decision:
    """Move a pin by ``by`` positions. Raises DataError for an offer that is not pinned, or is already at the end."""
    pins = list(_pins(offer_list).order_by("position", "pk").values_list("offer__external_id", flat=True))
    if offer.external_id not in pins:
        raise DataError(_("Only pinned offers can be moved. Pin it first."))
    place = pins.index(offer.external_id)
    pins.insert(min(max(place + by, 0), len(pins) - 1), pins.pop(place))
    return order(user, offer_list, pins, note)


@transaction.atomic
def approve(user: Any, offer_list: OfferList, items: Iterable[str] | None = None, note: str = "") -> Decision:
    """Approve unreviewed offers of a list: those with these external ids, or all.

    Raises DataError if none of them is unreviewed.
    """
    row = OfferList.objects.select_for_update().get(pk=offer_list.pk)
    unreviewed = row.unreviewed or []
    approved = unreviewed if items is None else [item for item in dict.fromkeys(items) if item in unreviewed]
    if not approved:
        raise DataError(_("None of these offers is pending any more. Someone else has decided about them."))
    return _finish(_start(user, Action.APPROVE, row, [], note), approved)


@transaction.atomic
def hide_item(user: Any, item: Item, note: str = "") -> Decision:
    """Stop offering ``item`` anywhere. Raises DataError if it is already hidden."""
    if _has_rule(Rule.Action.HIDE, item=item):
        raise DataError(_("“%(item)s” is already hidden.") % {"item": item})
    name = _("Never %(item)s") % {"item": item}
    rule = _create_rule(user, name, note, item=item)
    return Decision.objects.create(
        action=Action.HIDE_ITEM,
        user=user,
        note=note,
        offer=item,
        items=[item.external_id],
        previous_state={"rule": rule.pk},
    )


@transaction.atomic
def limit_item(user: Any, item: Item, share: float, note: str = "") -> Decision:
    """Offer ``item`` on at most this share of product pages, from the next training on.

    Raises DataError for a share that is not between 0 and 1, or if the item is already limited.
    """
    if not 0 < share < 1:
        raise DataError(_("Enter a percentage above 0 and below 100."))
    if _has_rule(Rule.Action.LIMIT, item=item):
        raise DataError(_("“%(item)s” is already limited. Change its rule instead.") % {"item": item})
    name = _("Less of %(item)s") % {"item": item}
    rule = _create_rule(user, name, note, action=Rule.Action.LIMIT, item=item, max_share=share)
    return Decision.objects.create(
        action=Action.LIMIT,
        user=user,
        note=note,
        offer=item,
        items=[item.external_id],
        previous_state={"rule": rule.pk},
    )


@transaction.atomic
def hide_pair(user: Any, strategy: str, anchor_category: Category, category: Category, note: str = "") -> Decision:
    """Stop offering ``category`` with ``anchor_category``. Raises DataError if it is already hidden there."""
    pair: dict[str, Any] = {"strategy": strategy, "anchor_category": anchor_category, "category": category}
    if _has_rule(Rule.Action.HIDE, **pair):
        raise DataError(
            _("%(category)s is already hidden for %(anchor)s.") % {"category": category, "anchor": anchor_category}
        )
    name = _("No %(category)s with %(anchor)s") % {"category": category.name, "anchor": anchor_category.name}
    rule = _create_rule(user, name, note, **pair)
    return Decision.objects.create(
        action=Action.HIDE_PAIR,
        user=user,
        note=note,
        strategy=strategy,
        category=category,
        previous_state={"rule": rule.pk, "anchor_category": anchor_category.path},
    )


@transaction.atomic
def undo(user: Any, decision: Decision) -> None:
    """Restore the state before ``decision``. Raises DataError if that is no longer possible."""
    decision = Decision.objects.select_for_update().get(pk=decision.pk)
    if decision.undone_at is not None:
        raise DataError(_("This has already been undone."))
    if "rule" in decision.previous_state:
        for rule in Rule.objects.filter(pk=decision.previous_state["rule"]):
            rule.delete()
    else:
        later = Decision.objects.filter(
            pk__gt=decision.pk,
            undone_at=None,
            strategy=decision.strategy,
            anchor=decision.anchor_id,
            category=decision.category_id,
        ).exclude(action=Action.HIDE_PAIR)
        if later.exists():
            raise DataError(_("There is a later decision about this list. Undo that one first."))
        _restore(decision)
    decision.undone_at, decision.undone_by = timezone.now(), user
    decision.save(update_fields=["undone_at", "undone_by"])


def _check_pair(offer_list: OfferList, offer: Item, action: str = "") -> None:
    if offer_list.anchor_id is None:
        raise DataError(_("Offers can only be pinned or blocked in the list of an item."))
    if offer.pk == offer_list.anchor_id:
        raise DataError(_("An item cannot be recommended with itself. Choose another one."))
    if any(override.action == action for override in _overrides(offer_list, [offer])):
        raise DataError(_("This has already been decided."))


def _check_note(note: str) -> None:
    max_length = Decision._meta.get_field("note").max_length or 0
    if len(note) > max_length:
        raise DataError(_("The note is too long. The limit is %(most)s characters.") % {"most": max_length})


def _pins(offer_list: OfferList) -> QuerySet[Override]:
    return Override.objects.filter(
        strategy=offer_list.strategy, anchor=offer_list.anchor_id, action=Override.Action.PIN
    )


def _overrides(offer_list: OfferList, offers: Iterable[Item]) -> list[Override]:
    return list(
        Override.objects.select_for_update().filter(
            strategy=offer_list.strategy, anchor=offer_list.anchor_id, offer__in=[offer.pk for offer in offers]
        )
    )


def _override(user: Any, offer_list: OfferList, offer: Item, action: str, position: int) -> None:
    override = next(iter(_overrides(offer_list, [offer])), None) or Override(
        strategy=offer_list.strategy, anchor=offer_list.anchor, offer=offer, created_by=user
    )
    override.action, override.position = action, position
    # Saved through the model, so that its signals invalidate the caches of pages.
    override.save()


def _has_rule(action: str, **conditions: Any) -> bool:
    """Whether there is an active rule under exactly these conditions."""
    defaults = {name: getattr(Rule(), name) for name in _CONDITIONS}
    return Rule.objects.filter(**{**defaults, **conditions}, action=action, active=True).exists()


def _create_rule(user: Any, name: str, note: str, action: str = Rule.Action.HIDE, **conditions: Any) -> Rule:
    _check_note(note)
    max_length = Rule._meta.get_field("name").max_length or 0
    return Rule.objects.create(name=name[:max_length], action=action, note=note, created_by=user, **conditions)


def _start(user: Any, action: str, offer_list: OfferList, offers: Sequence[Item], note: str) -> Decision:
    """An unsaved decision with the state before it."""
    _check_note(note)
    row = OfferList.objects.select_for_update().get(pk=offer_list.pk)
    existing = {override.offer_id: override for override in _overrides(offer_list, offers)}
    overrides = {
        str(offer.pk): {name: getattr(existing[offer.pk], name) for name in _OVERRIDE_FIELDS}
        if offer.pk in existing
        else None
        for offer in offers
    }
    return Decision(
        action=action,
        user=user,
        note=note,
        strategy=row.strategy,
        anchor_id=row.anchor_id,
        category_id=row.category_id,
        offer=offers[0] if len(offers) == 1 else None,
        previous_state={"overrides": overrides},
    )


def _finish(decision: Decision, reviewed: Sequence[str]) -> Decision:
    """Save a decision; its ``reviewed`` offers are no longer held back, in any release."""
    decision.items = list(reviewed)
    lists = OfferList.objects.select_for_update().filter(
        strategy=decision.strategy,
        anchor=decision.anchor_id,
        category=decision.category_id,
        priority__isnull=False,
    )
    before: dict[str, Any] = {}
    for row in lists.order_by("pk"):
        if not set(row.unreviewed or ()).isdisjoint(reviewed):
            before[str(row.pk)] = _list_state(row)
            _save_state(row, _reviewed_state(before[str(row.pk)], reviewed))
    decision.previous_state["lists"] = before
    decision.save()
    return decision


def _list_state(row: OfferList) -> ListState:
    return {name: getattr(row, name) for name in _LIST_FIELDS}


def _save_state(row: OfferList, state: ListState) -> None:
    for name, value in state.items():
        setattr(row, name, value)
    row.save(update_fields=list(_LIST_FIELDS))


def _reviewed_state(state: ListState, reviewed: Iterable[str]) -> ListState:
    """The state of a list once these offers are ``reviewed``."""
    unreviewed = state["unreviewed"] or []
    remaining = [item for item in unreviewed if item not in set(reviewed)]
    if not remaining:
        return {"offers": state["proposed"] or state["offers"], "proposed": None, "unreviewed": None, "priority": None}
    priority = (state["priority"] or 0.0) * len(remaining) / len(unreviewed)
    state = {**state, "unreviewed": remaining, "priority": priority}
    return state if state["proposed"] is None else {**state, "offers": _remove_offers(state["proposed"], remaining)}


def _unreviewed_state(state: ListState, before: ListState, reviewed: Iterable[str]) -> ListState:
    """The reverse of `_reviewed_state` for a list that has changed since: offers it gained meanwhile stay."""
    proposed = state["proposed"] or state["offers"]
    unreviewed_items = set(reviewed) & set(before["unreviewed"]) | set(state["unreviewed"] or ())
    unreviewed = [offer.item for offer in decode_offers(proposed) if offer.item in unreviewed_items]
    if not unreviewed:
        return state
    state = {**state, "unreviewed": unreviewed, "priority": max(state["priority"] or 0.0, before["priority"] or 0.0)}
    if state["proposed"] is None and before["proposed"] is None:
        return state
    return {**state, "proposed": proposed, "offers": _remove_offers(proposed, unreviewed)}


def _remove_offers(offers: str, items: Sequence[str]) -> str:
    return encode_offers([offer for offer in decode_offers(offers) if offer.item not in items])


def _restore(decision: Decision) -> None:
    pair = {"strategy": decision.strategy, "anchor": decision.anchor_id}
    for offer, state in decision.previous_state["overrides"].items():
        override = Override.objects.select_for_update().filter(**pair, offer=int(offer)).first()
        if state is None or not _is_possible(int(offer), state):
            if override is not None:
                override.delete()
            continue
        override = override or Override(strategy=decision.strategy, anchor=decision.anchor, offer_id=int(offer))
        for name, value in state.items():
            setattr(override, name, value)
        override.created_by = get_user_model().objects.filter(pk=state["created_by_id"]).first()
        override.save()
    lists = decision.previous_state.get("lists", {})
    for row in OfferList.objects.select_for_update().filter(pk__in=map(int, lists)):
        before, now = lists[str(row.pk)], _list_state(row)
        unchanged = now == _reviewed_state(before, decision.items)
        _save_state(row, before if unchanged else _unreviewed_state(now, before, decision.items))


def _is_possible(offer: int, state: dict[str, Any]) -> bool:
    """Whether the item and segment of a former override still exist; otherwise it would have been deleted with them."""
    segment = state["segment_id"]
    return Item.objects.filter(pk=offer).exists() and (segment is None or Segment.objects.filter(pk=segment).exists())
