"""What a merchant may decide about offers: carried out, written down with who and why, and undone.

Everything here outlives releases: pins and blocks are overrides, what is hidden is a rule, and what was approved once
need not be approved again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from ..errors import DataError
from ..models import Category, Decision, Item, OfferList, Override, Rule
from ..strategies.base import decode_offers, encode_offers

Action = Decision.Action
# What is kept of an override, to put it back.
_KEPT = ("action", "position", "segment_id", "note", "created_by_id")
_OF_LIST = ("offers", "learned", "waiting", "attention")
# Of more, a merchant would not know any more what is pinned.
MOST_PINS = 20


@transaction.atomic
def pin(user: Any, offer_list: OfferList, offer: Item, note: str = "") -> Decision:
    """Show ``offer`` first, after the pins there are. Raises DataError for a list of no item, or the item itself."""
    _check_pair(offer_list, offer, Override.Action.PIN)
    pins = Override.objects.filter(
        strategy=offer_list.strategy, anchor=offer_list.anchor_id, action=Override.Action.PIN
    ).exclude(offer=offer)
    last = pins.aggregate(last=Max("position"))["last"] or 0
    decision = _begun(user, Action.PIN, offer_list, [offer], note)
    _override(user, offer_list, offer, Override.Action.PIN, last + 1)
    return _ended(decision, offer_list, [offer.external_id])


@transaction.atomic
def block(user: Any, offer_list: OfferList, offer: Item, note: str = "") -> Decision:
    """Show ``offer`` no more beside the list's item. Raises DataError as `pin`."""
    _check_pair(offer_list, offer, Override.Action.BLOCK)
    decision = _begun(user, Action.BLOCK, offer_list, [offer], note)
    _override(user, offer_list, offer, Override.Action.BLOCK, 1)
    return _ended(decision, offer_list, [offer.external_id])


@transaction.atomic
def follow(user: Any, offer_list: OfferList, offer: Item, note: str = "") -> Decision:
    """Neither pin nor block ``offer`` any more. Raises DataError as `pin`."""
    _check_pair(offer_list, offer)
    decision = _begun(user, Action.FOLLOW, offer_list, [offer], note)
    for override in _overrides(offer_list, [offer]):
        override.delete()
    return _ended(decision, offer_list, [])


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
    others = Override.objects.filter(
        strategy=offer_list.strategy, anchor=offer_list.anchor_id, action=Override.Action.PIN
    ).exclude(offer__in=found.values())
    behind = [override.offer for override in others.select_related("offer").order_by("position", "pk")]
    placed = [*(found[name] for name in wanted), *behind]
    decision = _begun(user, Action.ORDER, offer_list, placed, note)
    for place, offer in enumerate(placed, start=1):
        _override(user, offer_list, offer, Override.Action.PIN, place)
    return _ended(decision, offer_list, wanted)


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
    return _ended(_begun(user, Action.APPROVE, row, [], note), row, approved)


@transaction.atomic
def hide_item(user: Any, item: Item, note: str = "") -> Decision:
    """Offer ``item`` nowhere any more. Raises DataError if that was decided already."""
    if Rule.objects.filter(item=item, action=Rule.Action.HIDE, active=True, category=None, beside=None).exists():
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
    if Rule.objects.filter(**pair, action=Rule.Action.HIDE, active=True, item=None).exists():
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


def _rule(user: Any, name: str, note: str, **what: Any) -> Rule:
    longest = Rule._meta.get_field("name").max_length or 0
    return Rule.objects.create(name=name[:longest], action=Rule.Action.HIDE, note=note, created_by=user, **what)


def _begun(user: Any, action: str, offer_list: OfferList, offers: Sequence[Item], note: str) -> Decision:
    """A decision, not saved, with how things are before it."""
    longest = Decision._meta.get_field("note").max_length or 0
    if len(note) > longest:
        raise DataError(_("The note is too long: at most %(most)s characters are kept.") % {"most": longest})
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
        before={"overrides": overrides, "list": row.pk, **{name: getattr(row, name) for name in _OF_LIST}},
    )


def _ended(decision: Decision, offer_list: OfferList, settled: Sequence[str]) -> Decision:
    """Write a decision down; of the list, ``settled`` offers wait no more."""
    decision.items = list(settled)
    decision.save()
    row = OfferList.objects.get(pk=offer_list.pk)
    if row.waiting and not set(row.waiting).isdisjoint(settled):
        _settle(row, set(settled))
    return decision


def _settle(row: OfferList, settled: set[str]) -> None:
    before = row.waiting or []
    left = [item for item in before if item not in settled]
    if left:
        row.waiting, row.attention = left, (row.attention or 0.0) * len(left) / len(before)
        if row.learned is not None:
            row.offers = encode_offers([offer for offer in decode_offers(row.learned) if offer.item not in left])
    else:
        row.offers, row.learned, row.waiting, row.attention = row.learned or row.offers, None, None, None
    row.save(update_fields=list(_OF_LIST))


def _put_back(decision: Decision) -> None:
    pair = {"strategy": decision.strategy, "anchor": decision.anchor_id}
    for offer, kept in decision.before["overrides"].items():
        override = Override.objects.select_for_update().filter(**pair, offer=int(offer)).first()
        if kept is None:
            if override is not None:
                override.delete()
            continue
        override = override or Override(strategy=decision.strategy, anchor=decision.anchor, offer_id=int(offer))
        for name, value in kept.items():
            setattr(override, name, value)
        override.save()
    row = OfferList.objects.select_for_update().filter(pk=decision.before["list"]).first()
    if row is not None:
        for name in _OF_LIST:
            setattr(row, name, decision.before[name])
        row.save(update_fields=list(_OF_LIST))
