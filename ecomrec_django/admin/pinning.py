"""One merchant's pin, block or undo of one pair: allowed by permission, saved through the model, logged."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from ..models import Item, OfferList, Override


class Pinning:
    """What ``user`` may do to the pairs of a list, and the doing of it."""

    ACTIONS = ("pin", "block", "undo")

    def __init__(self, user: Any) -> None:
        self.user = user
        self.can_add = user.has_perm("ecomrec.add_override")
        self.can_change = user.has_perm("ecomrec.change_override")
        self.can_undo = user.has_perm("ecomrec.delete_override")

    @transaction.atomic
    def do(self, action: str, offer_list: OfferList, offer: Item) -> str:
        """Carry out ``action``; returns what was done, for the merchant. Raises PermissionDenied."""
        pair = {"strategy": offer_list.strategy, "anchor": offer_list.anchor, "offer": offer}
        override = Override.objects.select_for_update().filter(**pair).first()
        if action == "undo":
            return self._undo(override, offer)
        if not (self.can_change if override else self.can_add):
            raise PermissionDenied
        flag = CHANGE if override else ADDITION
        override = override or Override(**pair, created_by=self.user)
        if override.action != action:
            override.action = action
            override.position = self._last_position(offer_list) + 1 if action == Override.Action.PIN else 1
        # Saved through the model, so that its signals tell the pages.
        override.save()
        self._log(override, flag, action)
        done = _("“%(item)s” is pinned.") if action == Override.Action.PIN else _("“%(item)s” is blocked.")
        return done % {"item": offer}

    def _undo(self, override: Override | None, offer: Item) -> str:
        if not self.can_undo:
            raise PermissionDenied
        if override is not None:
            self._log(override, DELETION, "undo")
            override.delete()
        return _("“%(item)s” follows the learned list again.") % {"item": offer}

    @staticmethod
    def _last_position(offer_list: OfferList) -> int:
        pins = Override.objects.filter(
            strategy=offer_list.strategy, anchor=offer_list.anchor, action=Override.Action.PIN
        )
        return pins.aggregate(last=Max("position"))["last"] or 0

    def _log(self, override: Override, flag: int, action: str) -> None:
        message = f"{action}: {override.strategy} {override.anchor.external_id} → {override.offer.external_id}"
        LogEntry.objects.log_actions(self.user.pk, [override], flag, message, single_object=True)
