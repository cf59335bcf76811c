"""What a merchant may decide about offers: carried out, written down with who and why, and undone.

Everything here outlives releases: pins and blocks are overrides, what is hidden is a rule, and what was approved once
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

Action = Decision.Action
# What is kept of an override, to put it back.
_KEPT = ("action", "position", "segment_id", "note", "created_by_id")
_OF_LIST = ("offers", "learned", "waiting", "attention")
State = dict[str, Any]
# What may narrow a rule.
_CONDITIONS = tuple(
    field.name
    for field in Rule._meta.concrete_fields
    if field.name not in ("id", "name", "action", "factor", "active", "note", "created", "created_by")
)
# Of more, a merchant would not know any more what is pinned.
MOST_PINS = 20


@transaction.atomic
def pin(user: Any, offer_list: OfferList, offer: Item, note: str = "") -> Decision:
    """Show ``offer`` first, after the pins there are. Raises DataError for a list of no item, or the item itself."""
    _check_pair(offer_list, offer, Override.Action.PIN)
    last = _pins(offer_list).exclude(offer=offer).aggregate(last=Max("position"))["last"] or 0
    decision = _begun(user, Action.PIN, offer_list, [offer], note)
    _override(user, offer_list, offer, Override.Action.PIN, last + 1)
    return _ended(decision, [offer.external_id])


@transaction.atomic
def block(user: Any, offer_list: OfferList, offer: Item, note: str = "") -> Decision:
    """Show ``offer`` no more beside the list's item. Raises DataError as `pin`."""
    _check_pair(offer_list, offer, Override.Action.BLOCK)
    decision = _begun(user, Action.BLOCK, offer_list, [offer], note)
    _override(user, offer_list, offer, Override.Action.BLOCK, 1)
    return _ended(decision, [offer.external_id])


@transaction.atomic
def follow(user: Any, offer_list: OfferList, offer: Item, note: str = "") -> Decision:
    """Neither pin nor block ``offer`` any more. Raises DataError as `pin`."""
    _check_pair(offer_list, offer)
    if not _overrides(offer_list, [offer]):
        raise DataError(_("That was decided already."))
    decision = _begun(user, Action.FOLLOW, offer_list, [offer], note)
    for override in _overrides(offer_list, [offer]):
        override.delete()
    return _ended(decision, [])


@transaction.atomic
def order(user: Any, offer_list: OfferList, items: Sequence[str], note: str = "") -> Decision:
    """Pin these external ids in this order, before any other pins.

    Raises DataError where the list is of no item, or for an item that cannot stand in it.
    """
    wanted = list(dict.fromkeys(items))
    if not wanted or len(wanted) > MOST_PINS:
        raise DataError(_("Order from 1 to %(most)s offers.") % {"most": MOST_PINS})
    found = {item.external_id: item for item in Item.objects.filter(external_id__in=wanted).defer("description")}
    for name in wanted:
        if name not in found:
            raise DataError(_("There is no item “%(item)s” in the catalog.") % {"item": name})
        _check_pair(offer_list, found[name])
    pinned = [override.offer for override in _pins(offer_list).select_related("offer").order_by("position", "pk")]
    placed = [*(found[name] for name in wanted), *(offer for offer in pinned if offer.external_id not in found)]
    if placed == pinned:
        raise DataError(_("That was decided already."))
    decision = _begun(user, Action.ORDER, offer_list, placed, note)
    for place, offer in enumerate(placed, start=1):
        _override(user, offer_list, offer, Override.Action.PIN, place)
    return _ended(decision, wanted)


def move(user: Any, offer_list: OfferList, offer: Item, by: int, note: str = "") -> Decision:
    """Move a pin by so many places. Raises DataError for what is not pinned, or at the end already."""
    pins = list(_pins(offer_list).order_by("position", "pk").values_list("offer__external_id", flat=True))
    if offer.external_id not in pins:
        raise DataError(_("Only pinned offers have a place of their own: pin it first."))
    at = pins.index(offer.external_id)
    pins.insert(min(max(at + by, 0), len(pins) - 1), pins.pop(at))
    return order(user, offer_list, pins, note)


@transaction.atomic
def approve(user: Any, offer_list: OfferList, items: Iterable[str] | None = None, note: str = "") -> Decision:
    """Say that offers of a list may be shown: these external ids, or all that wait.

    Raises DataError where nothing of that waits.
    """
    row = OfferList.objects.select_for_update().get(pk=offer_list.pk)
    waiting = row.waiting or []
    approved = waiting if items is None else [item for item in dict.fromkeys(items) if item in waiting]
    if not approved:
        raise DataError(_("None of these offers waits: somebody has decided about them meanwhile."))
    return _ended(_begun(user, Action.APPROVE, row, [], note), approved)


@transaction.atomic
def hide_item(user: Any, item: Item, note: str = "") -> Decision:
    """Offer ``item`` nowhere any more. Raises DataError if that was decided already."""
    if _is_hidden(item=item):
        raise DataError(_("“%(item)s” is hidden already.") % {"item": item})
    name = _("Never %(item)s") % {"item": item}
    rule = _rule(user, name, note, item=item)
    return Decision.objects.create(
        action=Action.HIDE_ITEM, user=user, note=note, offer=item, items=[item.external_id], before={"rule": rule.pk}
    )


@transaction.atomic
def hide_pair(user: Any, strategy: str, beside: Category, category: Category, note: str = "") -> Decision:
    """Offer nothing of ``category`` beside products of another one. Raises DataError if that was decided already."""
    pair = {"strategy": strategy, "beside": beside, "category": category}
    if _is_hidden(**pair):
        raise DataError(
            _("%(category)s is hidden beside %(beside)s already.") % {"category": category, "beside": beside}
        )
    name = _("No %(category)s beside %(beside)s") % {"category": category.name, "beside": beside.name}
    rule = _rule(user, name, note, **pair)
    return Decision.objects.create(
        action=Action.HIDE_PAIR,
        user=user,
        note=note,
        strategy=strategy,
        category=category,
        before={"rule": rule.pk, "beside": beside.path},
    )


@transaction.atomic
def undo(user: Any, decision: Decision) -> None:
    """Put back what was before. Raises DataError where that is no longer possible."""
    decision = Decision.objects.select_for_update().get(pk=decision.pk)
    if decision.undone is not None:
        raise DataError(_("This was undone already."))
    if "rule" in decision.before:
        for rule in Rule.objects.filter(pk=decision.before["rule"]):
            rule.delete()
    else:
        later = Decision.objects.filter(
            pk__gt=decision.pk,
            undone=None,
            strategy=decision.strategy,
            anchor=decision.anchor_id,
            category=decision.category_id,
        ).exclude(action=Action.HIDE_PAIR)
        if later.exists():
            raise DataError(_("Something later was decided about the same list: undo that first."))
        _put_back(decision)
    decision.undone, decision.undone_by = timezone.now(), user
    decision.save(update_fields=["undone", "undone_by"])


def _check_pair(offer_list: OfferList, offer: Item, action: str = "") -> None:
    if offer_list.anchor_id is None:
        raise DataError(_("Only in the list of an item can offers be pinned or blocked."))
    if offer.pk == offer_list.anchor_id:
        raise DataError(_("An item cannot be offered beside itself: choose another one."))
    if any(override.action == action for override in _overrides(offer_list, [offer])):
        raise DataError(_("That was decided already."))


def _check_note(note: str) -> None:
    longest = Decision._meta.get_field("note").max_length or 0
    if len(note) > longest:
        raise DataError(_("The note is too long: at most %(most)s characters are kept.") % {"most": longest})


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
    # Saved through the model, so that its signals tell the pages.
    override.save()


def _is_hidden(**what: Any) -> bool:
    """Whether a rule hides just this, everywhere and always."""
    plain = {name: getattr(Rule(), name) for name in _CONDITIONS}
    return Rule.objects.filter(**{**plain, **what}, action=Rule.Action.HIDE, active=True).exists()


def _rule(user: Any, name: str, note: str, **what: Any) -> Rule:
    _check_note(note)
    longest = Rule._meta.get_field("name").max_length or 0
    return Rule.objects.create(name=name[:longest], action=Rule.Action.HIDE, note=note, created_by=user, **what)


def _begun(user: Any, action: str, offer_list: OfferList, offers: Sequence[Item], note: str) -> Decision:
    """A decision, not saved, with how things are before it."""
    _check_note(note)
    row = OfferList.objects.select_for_update().get(pk=offer_list.pk)
    known = {override.offer_id: override for override in _overrides(offer_list, offers)}
    overrides = {
        str(offer.pk): {name: getattr(known[offer.pk], name) for name in _KEPT} if offer.pk in known else None
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
        before={"overrides": overrides},
    )


def _ended(decision: Decision, settled: Sequence[str]) -> Decision:
    """Write a decision down; ``settled`` offers wait no more, neither in this release nor in another."""
    decision.items = list(settled)
    lists = OfferList.objects.select_for_update().filter(
        strategy=decision.strategy,
        anchor=decision.anchor_id,
        category=decision.category_id,
        attention__isnull=False,
    )
    before: dict[str, Any] = {}
    for row in lists.order_by("pk"):
        if not set(row.waiting or ()).isdisjoint(settled):
            before[str(row.pk)] = _state(row)
            _write(row, _settled(before[str(row.pk)], settled))
    decision.before["lists"] = before
    decision.save()
    return decision


def _state(row: OfferList) -> State:
    return {name: getattr(row, name) for name in _OF_LIST}


def _write(row: OfferList, state: State) -> None:
    for name, value in state.items():
        setattr(row, name, value)
    row.save(update_fields=list(_OF_LIST))


def _settled(state: State, settled: Iterable[str]) -> State:
    """What becomes of a list once ``settled`` offers wait no more."""
    waiting = state["waiting"] or []
    left = [item for item in waiting if item not in set(settled)]
    if not left:
        return {"offers": state["learned"] or state["offers"], "learned": None, "waiting": None, "attention": None}
    kept = {**state, "waiting": left, "attention": (state["attention"] or 0.0) * len(left) / len(waiting)}
    return kept if state["learned"] is None else {**kept, "offers": _without(state["learned"], left)}


def _unsettled(state: State, before: State, settled: Iterable[str]) -> State:
    """The reverse, of a list that has changed since: what it gained meanwhile stays."""
    learned = state["learned"] or state["offers"]
    again = set(settled) & set(before["waiting"]) | set(state["waiting"] or ())
    waiting = [offer.item for offer in decode_offers(learned) if offer.item in again]
    if not waiting:
        return state
    state = {**state, "waiting": waiting, "attention": max(state["attention"] or 0.0, before["attention"] or 0.0)}
    if state["learned"] is None and before["learned"] is None:
        return state
    return {**state, "learned": learned, "offers": _without(learned, waiting)}


def _without(offers: str, items: Sequence[str]) -> str:
    return encode_offers([offer for offer in decode_offers(offers) if offer.item not in items])


def _put_back(decision: Decision) -> None:
    pair = {"strategy": decision.strategy, "anchor": decision.anchor_id}
    for offer, kept in decision.before["overrides"].items():
        override = Override.objects.select_for_update().filter(**pair, offer=int(offer)).first()
        if kept is None or not _is_possible(int(offer), kept):
            if override is not None:
                override.delete()
            continue
        override = override or Override(strategy=decision.strategy, anchor=decision.anchor, offer_id=int(offer))
        for name, value in kept.items():
            setattr(override, name, value)
        override.created_by = get_user_model().objects.filter(pk=kept["created_by_id"]).first()
        override.save()
    lists = decision.before.get("lists", {})
    for row in OfferList.objects.select_for_update().filter(pk__in=map(int, lists)):
        before, now = lists[str(row.pk)], _state(row)
        unchanged = now == _settled(before, decision.items)
        _write(row, before if unchanged else _unsettled(now, before, decision.items))


def _is_possible(offer: int, kept: dict[str, Any]) -> bool:
    """Whether the item and the segment of a former override are still there; if not, it would have gone with them."""
    segment = kept["segment_id"]
    return Item.objects.filter(pk=offer).exists() and (segment is None or Segment.objects.filter(pk=segment).exists())
