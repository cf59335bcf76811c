"""What imports of the shop's own records share: whose they are, which item they name, and which are left out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from ..models import Checkpoint, Event, Item
from ..models.bulk import LOOKUP, Values, aware, chunks
from ..privacy.erasure import erased, order_key
from ..privacy.retention import horizon
from .tally import Reason, leave_out
from .visitors import VisitorIds, user_key

logger = logging.getLogger(__name__)

# Records are read again from this long before the last import began: a transaction that was still open then, or a clock
# that runs behind, loses nothing.
OVERLAP = timedelta(hours=6)
LOGGED = 20


def since_of(name: str) -> datetime | None:
    """Where the import ``name`` has to start; None: at the beginning."""
    checkpoint, _ = Checkpoint.objects.get_or_create(name=name)
    return parse_datetime(checkpoint.position["since"]) if "since" in checkpoint.position else None


def came_to(name: str, began: datetime) -> None:
    """An import that began at ``began`` has read everything."""
    position = {"since": (aware(began) - OVERLAP).isoformat()}
    Checkpoint.objects.filter(name=name).update(position=position, updated=timezone.now())


class Bars:
    """What must not come in again: what is past the time that the shop keeps, and what was before its person was
    forgotten."""

    def __init__(self) -> None:
        self._erased: dict[str, datetime] = {}
        self._horizon: datetime | None = None

    def look(self) -> bool:
        """Read what holds now; True if it has changed."""
        before = self._erased, self._horizon
        self._erased, self._horizon = erased(), horizon()
        return before != (self._erased, self._horizon)

    @property
    def somebody(self) -> bool:
        """Whether anybody was forgotten; if not, no key has to be made."""
        return bool(self._erased)

    def too_old(self, time: datetime) -> bool:
        return self._horizon is not None and time < self._horizon

    def forgotten(self, key: str, time: datetime) -> bool:
        """Whether this is of somebody under ``key``, from before they were forgotten; counted if it is."""
        if key not in self._erased or time > self._erased[key]:
            return False
        leave_out(Reason.ERASED)
        return True


class Records:
    """Looks up what the lines of one import name, each thing once."""

    def __init__(self) -> None:
        self.values = Values(Event)
        self.items: dict[str, int] = {}
        self.unknown_items = 0
        self.skipped = 0
        self._visitors = VisitorIds()
        self._user_keys: dict[str, str] = {}
        self._order_keys: dict[str, str] = {}
        self._bars = Bars()

    def begin(self) -> None:
        """To be called for each chunk, after ``take_turns``: somebody may have been forgotten since the last one."""
        if self._bars.look():
            self._visitors = VisitorIds()

    def skip(self, what: str, reason: Exception) -> None:
        """Count a record that makes no sense; the first few are logged."""
        self.skipped += 1
        if self.skipped <= LOGGED:
            logger.warning("%s was skipped: %s.", what, reason)

    def wanted(self, user: str | None, time: datetime, order: str = "") -> bool:
        """False for what is past the time that the shop keeps, and for what was before its person was forgotten: the
        account ``user``, or the guest who placed ``order``."""
        if self._bars.too_old(time):
            return False
        if not self._bars.somebody or not (user or order):
            return True
        return not self._bars.forgotten(self.key_of(user) if user else self._order_key(order), time)

    def key_of(self, user: str) -> str:
        if user not in self._user_keys:
            self._user_keys[user] = user_key(user)
        return self._user_keys[user]

    def _order_key(self, order: str) -> str:
        if order not in self._order_keys:
            self._order_keys[order] = order_key(order)
        return self._order_keys[order]

    def find_items(self, names: Iterable[str]) -> None:
        missing = set(names) - self.items.keys()
        for some in chunks(missing, LOOKUP):
            self.items.update(Item.objects.filter(external_id__in=some).values_list("external_id", "pk"))
        if new := missing - self.items.keys():
            # Sold, but not in the catalog (any more): its history still teaches.
            Item.objects.bulk_create(
                [Item(external_id=name, title=name, active=False, available=False, fingerprint="") for name in new],
                ignore_conflicts=True,
            )
            for some in chunks(new, LOOKUP):
                self.items.update(Item.objects.filter(external_id__in=some).values_list("external_id", "pk"))
            self.unknown_items += len(new)

    def find_visitors(self, users: Iterable[str | None]) -> Mapping[str | None, int | None]:
        """Visitor.pk by user; None for a guest."""
        known = {user for user in users if user}
        ids = self._visitors.resolve(self.key_of(user) for user in known)
        found: dict[str | None, int | None] = {user: ids[self.key_of(user)] for user in known}
        return {**found, None: None, "": None}


def take_turns(name: str) -> None:
    """Hold the checkpoint's row to the end of the transaction, so that imports take turns."""
    Checkpoint.objects.filter(name=name).update(updated=timezone.now())
