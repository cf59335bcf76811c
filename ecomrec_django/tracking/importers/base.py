"""Shared by all importers: checkpoints, look-ups of visitors and items, and the filter of erased records."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from ...catalog.validation import kind_of
from ...db import MAX_LOOKUP_IDS, DriverValues, chunks, to_aware
from ...errors import DataError
from ...failures import message_of
from ...models import Checkpoint, Event, Item
from ...privacy.erasure import erasure_times, order_key
from ...privacy.retention import horizon
from ..omissions import Reason, count_omitted
from ..visitors import VisitorIds, guest_key, user_key
from .lines import name_of

# Each import starts this long before the last one began, so that records of transactions that were still open then, and
# of clocks that run behind, are not lost.
OVERLAP = timedelta(hours=6)
# Earlier positions that are kept, for an import to go back to.
MOST_POSITIONS = 48

logger = logging.getLogger(__name__)


def checkpoint_start(name: str) -> datetime | None:
    """The time from which the import ``name`` has to read; None for everything.

    Positions that a clock ahead left in the future do not count. Of the others it is the last but one: if the clock was
    ahead at the last import and its time has come since, nothing can tell.
    """
    checkpoint, _ = Checkpoint.objects.get_or_create(name=name)
    past, now = _positions(checkpoint), to_aware(timezone.now())
    sound = [since for since in past if since + OVERLAP <= now]
    if len(sound) < len(past):
        logger.warning("The clock was ahead when the import of %s ran before; it reads earlier changes again.", name)
    return sound[-2:][0] if sound else None


def advance_checkpoint(name: str, began: datetime) -> None:
    """Store that an import has read everything up to ``began``."""
    since = to_aware(began) - OVERLAP
    # Those after it are of a clock that was ahead.
    earlier = [past for past in _positions(Checkpoint.objects.get(name=name)) if past < since][-MOST_POSITIONS:]
    position = {"since": since.isoformat(), "earlier": [past.isoformat() for past in earlier]}
    Checkpoint.objects.filter(name=name).update(position=position, updated=timezone.now())


def _positions(checkpoint: Checkpoint) -> list[datetime]:
    position = checkpoint.position
    texts = [*position.get("earlier", ()), *([position["since"]] if "since" in position else [])]
    return [since for text in texts if (since := parse_datetime(text))]


@contextmanager
def recorded_outcome(name: str) -> Iterator[dict[str, Any]]:
    """Store the outcome of an import, for the staff pages: what the block puts into the dictionary, or its error."""
    outcome: dict[str, Any] = {}
    try:
        yield outcome
    except Exception as error:
        outcome |= {"error": message_of(error)}
        raise
    finally:
        Checkpoint.objects.filter(name=name).update(outcome={"time": timezone.now().isoformat(), **outcome})


class ImportFilter:
    """Rejects records that must not be imported: older than the retention period or than their visitor's erasure."""

    def __init__(self) -> None:
        self._erasures: dict[str, datetime] = {}
        self._horizon: datetime | None = None

    def refresh(self) -> bool:
        """Read the erasures and the retention horizon; True if they have changed."""
        before = self._erasures, self._horizon
        self._erasures, self._horizon = erasure_times(), horizon()
        return before != (self._erasures, self._horizon)

    @property
    def has_erasures(self) -> bool:
        """Whether there are erasures; if not, no key has to be computed."""
        return bool(self._erasures)

    def is_expired(self, time: datetime) -> bool:
        """Whether a record is older than the retention period, as of the latest `refresh`."""
        return self._horizon is not None and time < self._horizon

    def is_erased(self, key: str, time: datetime) -> bool:
        """Whether a record of the visitor under ``key`` predates their erasure; it is counted then."""
        if key not in self._erasures or time > self._erasures[key]:
            return False
        count_omitted(Reason.ERASED)
        return True


class RecordSource:
    """The records that a method of the shop's adapter yields, read in chunks.

    method: its name, for messages.
    """

    def __init__(self, method: str, records: Iterable[Any]) -> None:
        if records is None or isinstance(records, str):
            raise DataError(f"{method} returned {kind_of(records)}: yield the records, or return a list of them.")
        self._method = method
        self._records = records
        self._read = 0
        self._last: Any = None
        self._error: Exception | None = None

    def chunks(self, size: int) -> Iterator[list[Any]]:
        """Lists of at most ``size`` records. Where the method fails, the records before come first; see `check`."""
        yield from chunks(self._each(), size)

    @property
    def failed(self) -> bool:
        """Whether the method has failed before its last record."""
        return self._error is not None

    def check(self) -> None:
        """Raises DataError if the method failed before its last record."""
        if self._error is None:
            return
        after = f"after {self._read} records, the last of which was {name_of(self._last)}" if self._read else "at once"
        raise DataError(
            f"{self._method} failed {after}: {message_of(self._error)}. What it yielded before is imported, and the "
            "next import reads from the same time again."
        ) from self._error

    def _each(self) -> Iterator[Any]:
        try:
            for record in self._records:
                self._read += 1
                self._last = record
                yield record
        except Exception as error:
            self._error = error


class RecordResolver:
    """Maps the users and items of an import's records to rows; each is looked up once."""

    def __init__(self) -> None:
        self.values = DriverValues(Event)
        self.items: dict[str, int] = {}
        self.unknown_items = 0
        self._visitors = VisitorIds()
        self._user_keys: dict[str, str] = {}
        self._order_keys: dict[str, str] = {}
        self._staff: frozenset[str] = frozenset()
        self._filter = ImportFilter()

    def begin(self) -> None:
        """Start a chunk, after `lock_checkpoint`: there may be new erasures and staff since the last one."""
        self._staff = _staff_users()
        if self._filter.refresh():
            self._visitors = VisitorIds()

    def accepts(self, user: str | None, time: datetime, order: str = "", guest: str = "") -> bool:
        """Whether a record may be imported; not if it is of staff, older than the retention period, or than its
        visitor's erasure.

        user, order, guest: the account, or the order and the hash of a guest.
        """
        if self._filter.is_expired(time):
            return False
        if user in self._staff:
            count_omitted(Reason.STAFF)
            return False
        if not self._filter.has_erasures:
            return True
        keys = [self._order_key(order)] if order else []
        keys += [self.key_of(user)] if user else []
        keys += [guest_key(guest)] if guest and not user else []
        return not any(self._filter.is_erased(key, time) for key in keys)

    def key_of(self, user: str) -> str:
        """Visitor.key of an account, computed once."""
        if user not in self._user_keys:
            self._user_keys[user] = user_key(user)
        return self._user_keys[user]

    def _order_key(self, order: str) -> str:
        if order not in self._order_keys:
            self._order_keys[order] = order_key(order)
        return self._order_keys[order]

    def find_items(self, names: Iterable[str]) -> None:
        """Fill ``items`` for these external ids; unknown ones become inactive items, counted in ``unknown_items``."""
        missing = set(names) - self.items.keys()
        for chunk in chunks(missing, MAX_LOOKUP_IDS):
            self.items.update(Item.objects.filter(external_id__in=chunk).values_list("external_id", "pk"))
        if new := missing - self.items.keys():
            # Sold, but not in the catalog (any more). Training still uses its history.
            Item.objects.bulk_create(
                [Item(external_id=name, title=name, active=False, available=False, fingerprint="") for name in new],
                ignore_conflicts=True,
            )
            for chunk in chunks(new, MAX_LOOKUP_IDS):
                self.items.update(Item.objects.filter(external_id__in=chunk).values_list("external_id", "pk"))
            self.unknown_items += len(new)

    def find_guests(self, guests: Iterable[str]) -> Mapping[str, int]:
        """Visitor.pk by the hash of a guest."""
        keys = {guest: guest_key(guest) for guest in set(guests) - {""}}
        ids = self._visitors.resolve(keys.values())
        return {guest: ids[key] for guest, key in keys.items()}

    def find_visitors(self, users: Iterable[str | None]) -> Mapping[str | None, int | None]:
        """Visitor.pk by user; None for a guest."""
        accounts = {user for user in users if user}
        ids = self._visitors.resolve(self.key_of(user) for user in accounts)
        visitors: dict[str | None, int | None] = {user: ids[self.key_of(user)] for user in accounts}
        return {**visitors, None: None, "": None}


def _staff_users() -> frozenset[str]:
    """Primary keys of the shop's staff, as text."""
    users = get_user_model()
    try:
        users._meta.get_field("is_staff")
    except FieldDoesNotExist:
        return frozenset()
    return frozenset(str(pk) for pk in users._default_manager.filter(is_staff=True).values_list("pk", flat=True))


def lock_checkpoint(name: str) -> None:
    """Lock the checkpoint until the end of the transaction, so that imports take turns."""
    Checkpoint.objects.filter(name=name).update(updated=timezone.now())
