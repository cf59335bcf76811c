"""Observations to rows: the one door through which behaviour enters, whichever way it came.

A chunk is one transaction. Storing the same observation again changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2b
from typing import Any

from ..models import Arm, Event, Exposure, HeldEvent, Impression, Item, Kind
from ..models.bulk import LOOKUP, Values, aware, chunks, insert, storable
from ..privacy.erasure import erased
from .cleaning import BURST, DUPLICATE, MINUTE, SKEW
from .observation import Observation, Shown
from .retry import persistently
from .tally import Reason, leave_out
from .visitors import VisitorIds

EVENT = ("kind", "visitor", "item", "time", "quantity", "rating", "basket", "session", "policy", "key")
HELD = ("external_id", "visitor", "kind", "time", "quantity", "rating", "policy", "key")
IMPRESSION = ("visitor", "item", "anchor", "slot", "strategy", "release", "arm", "position", "time", "policy", "key")
EXPOSURE = ("arm", "visitor", "time", "segment", "propensity", "key")
# Whose repetition within moments says nothing new. A cart filled piece by piece does.
COLLAPSED = frozenset({Kind.VIEW_ITEM, Kind.SELECT_ITEM})
# A queue may have held a page view for so long; older ones are no longer of the visit they claim.
OLDEST = timedelta(days=7)
# An unknown product has so long to come into the catalog.
HELD_FOR = timedelta(days=30)

# A held event as read back: pk and the columns HELD.
_HeldRow = tuple[Any, ...]


def store(observations: Sequence[Observation]) -> None:
    """Write what is sound and new; what is not is counted by reason.

    Raises what the database raises, with nothing written and nothing counted.
    """
    counts = persistently(lambda: _Intake().add(observations))
    for reason, events in counts.items():
        leave_out(reason, events)


def release_held() -> int:
    """Store the held events whose items the mirror knows by now, drop those that waited too long; returns how many
    were stored."""
    stored = 0
    known = Item.objects.filter(external_id__in=HeldEvent.objects.values("external_id"))
    items = dict(known.values_list("external_id", "pk"))
    for names in chunks(sorted(items), LOOKUP):
        held, new = persistently(partial(_release, names, items))
        stored += new
        leave_out(Reason.DUPLICATE, held - new)
    late, _ = HeldEvent.objects.filter(time__lt=storable(datetime.now(UTC) - HELD_FOR)).delete()
    leave_out(Reason.UNKNOWN, late)
    return stored


def _release(names: list[str], items: dict[str, int]) -> tuple[int, int]:
    """Let in the held events of these products; returns how many there were, and how many of them are new."""
    held = HeldEvent.objects.select_for_update().filter(external_id__in=names)
    rows: list[_HeldRow] = list(held.values_list("pk", *HELD))
    values = Values(Event)
    events = [
        (kind, visitor, items[name], values.time(time), quantity, rating, "", "", policy, key)
        for _, name, visitor, kind, time, quantity, rating, policy, key in rows
    ]
    HeldEvent.objects.filter(pk__in=[pk for pk, *_ in rows]).delete()
    return len(rows), insert(Event, EVENT, events, ignore=True)


def impression_key(shown: Shown, visitor: str, item: str) -> str:
    """Impression.key: one block, one visitor, one offer."""
    return blake2b("\0".join((shown.nonce, visitor, item)).encode(), digest_size=32).hexdigest()


def exposure_key(arm: int, visitor: str, time: datetime) -> str:
    """Exposure.key: one arm, one visitor, one day (UTC)."""
    day = time.astimezone(UTC).date().isoformat()
    return blake2b(f"exposure\0{arm}\0{visitor}\0{day}".encode(), digest_size=32).hexdigest()


class _Intake:
    """One chunk on its way in. Counts are handed back, so that a transaction that fails counts nothing."""

    def __init__(self) -> None:
        self.counts: defaultdict[Reason, int] = defaultdict(int)
        self._values = Values(Event)

    def add(self, observations: Sequence[Observation]) -> dict[Reason, int]:
        timely = [one for one in observations if self._timely(one)]
        visitors = VisitorIds(lock=True)
        visitors.find({one.visitor for one in timely})
        # Looked up once the rows are held: who is erased from now on takes these events along.
        remembered = self._remembered(timely, {one.visitor: one.visitor for one in timely})
        self._visitors = visitors.known({one.visitor for one in remembered})
        if successors := {key: visitor.key for key, visitor in self._visitors.items() if visitor.key != key}:
            remembered = self._remembered(remembered, successors)
        agreed = [one for one in remembered if self._agreed(one)]
        self._store_exposures([one for one in agreed if one.exposed])
        agreed = [one for one in agreed if not one.exposed]
        self._find_items(agreed)
        shown = [one for one in agreed if one.kind is Kind.VIEW_ITEM_LIST]
        self._store_impressions(shown)
        self._mark_clicks([one for one in agreed if one.kind is Kind.SELECT_ITEM and one.shown])
        self._store_events([one for one in agreed if one.kind is not Kind.VIEW_ITEM_LIST])
        return dict(self.counts)

    def _timely(self, one: Observation) -> bool:
        now = datetime.now(UTC)
        if one.time > now + SKEW:
            self.counts[Reason.FUTURE] += 1
        elif one.time < now - OLDEST:
            self.counts[Reason.STALE] += 1
        else:
            return True
        return False

    def _remembered(self, observations: list[Observation], keys: Mapping[str, str]) -> list[Observation]:
        """Without what people did before they were forgotten; ``keys``: under which key, by that of the observation."""
        forgotten = erased(set(keys.values()))
        if not forgotten:
            return observations
        moments = {visitor: forgotten[key] for visitor, key in keys.items() if key in forgotten}
        kept = [one for one in observations if one.visitor not in moments or one.time > moments[one.visitor]]
        self.counts[Reason.ERASED] += len(observations) - len(kept)
        return kept

    def _agreed(self, one: Observation) -> bool:
        if self._visitors[one.visitor].withdrawn:
            self.counts[Reason.WITHDRAWN] += 1
            return False
        return True

    def _find_items(self, observations: list[Observation]) -> None:
        names = {one.item for one in observations}
        names |= {one.shown.anchor for one in observations if one.shown and one.shown.anchor}
        self._items: dict[str, int] = {}
        for some in chunks(sorted(names), LOOKUP):
            self._items.update(Item.objects.filter(external_id__in=some).values_list("external_id", "pk"))

    def _pk(self, one: Observation) -> int:
        return self._visitors[one.visitor].pk

    # -- blocks -----------------------------------------------------------------------------------------------------

    def _store_impressions(self, observations: list[Observation]) -> None:
        rows = [
            (
                self._pk(one),
                self._items[one.item],
                self._items.get(shown.anchor),
                shown.slot,
                shown.strategy,
                shown.release,
                shown.arm,
                shown.position,
                self._values.time(one.time),
                one.policy,
                impression_key(shown, one.visitor, one.item),
            )
            for one in observations
            if (shown := one.shown) and one.item in self._items
        ]
        self.counts[Reason.DUPLICATE] += len(rows) - insert(Impression, IMPRESSION, rows, ignore=True)
        self.counts[Reason.UNKNOWN] += len(observations) - len(rows)

    def _mark_clicks(self, observations: list[Observation]) -> None:
        clicks: dict[str, Observation] = {}
        for one in observations:
            if one.shown and one.item in self._items:
                clicks.setdefault(impression_key(one.shown, one.visitor, one.item), one)
        if not clicks:
            return
        known = set(Impression.objects.filter(key__in=clicks).values_list("key", flat=True))
        # A click proves that the offer was seen, should its impression have been lost.
        self._store_impressions([one for key, one in clicks.items() if key not in known])
        for key, one in clicks.items():
            Impression.objects.filter(key=key, clicked=None).update(clicked=storable(one.time))

    def _store_exposures(self, observations: list[Observation]) -> None:
        """The first of each visitor, arm and day; one of an arm that is no more says nothing."""
        told = [(one, one.exposed) for one in observations if one.exposed]
        arms = set(Arm.objects.filter(pk__in={exposed.arm for _, exposed in told}).values_list("pk", flat=True))
        rows = [
            (
                exposed.arm,
                self._pk(one),
                self._values.time(one.time),
                exposed.segment,
                exposed.propensity,
                exposure_key(exposed.arm, one.visitor, one.time),
            )
            for one, exposed in told
            if exposed.arm in arms
        ]
        insert(Exposure, EXPOSURE, rows, ignore=True)

    # -- events -----------------------------------------------------------------------------------------------------

    def _store_events(self, observations: list[Observation]) -> None:
        fresh = self._without_repetition(observations)
        rows = [
            (
                one.kind.value,
                self._pk(one),
                self._items[one.item],
                self._values.time(one.time),
                one.quantity,
                one.rating,
                "",
                "",
                one.policy,
                _key(one),
            )
            for one in fresh
            if one.item in self._items
        ]
        self.counts[Reason.DUPLICATE] += len(rows) - insert(Event, EVENT, rows, ignore=True)
        self._hold([one for one in fresh if one.item not in self._items])

    def _hold(self, observations: list[Observation]) -> None:
        rows = [
            (
                one.item,
                self._pk(one),
                one.kind.value,
                self._values.time(one.time),
                one.quantity,
                one.rating,
                one.policy,
                _key(one),
            )
            for one in observations
        ]
        held = insert(HeldEvent, HELD, rows, ignore=True)
        self.counts[Reason.HELD] += held
        self.counts[Reason.DUPLICATE] += len(rows) - held

    def _without_repetition(self, observations: list[Observation]) -> list[Observation]:
        """Those that say something new, of visitors who act at the pace of people; in the order of their time."""
        if not observations:
            return []
        ordered = sorted(observations, key=lambda one: one.time)
        past = self._recent(ordered)
        kept = []
        for one in ordered:
            # (time, kind, item) of what this visitor did within the last minute.
            recent = [row for row in past[self._pk(one)] if one.time - MINUTE < row[0] <= one.time]
            act = (one.kind.value, self._items.get(one.item, one.item))
            if one.kind in COLLAPSED and any(row[1:] == act and one.time - row[0] < DUPLICATE for row in recent):
                self.counts[Reason.DUPLICATE] += 1
            elif len(recent) >= BURST:
                self.counts[Reason.BURST] += 1
            else:
                recent.append((one.time, *act))
                past[self._pk(one)] = recent
                kept.append(one)
        return kept

    def _recent(self, ordered: list[Observation]) -> dict[int, list[tuple[datetime, str, Any]]]:
        """What the visitors of these observations did in the minute before, by Visitor.pk."""
        past: dict[int, list[tuple[datetime, str, Any]]] = defaultdict(list)
        rows = Event.objects.filter(
            visitor__in={self._pk(one) for one in ordered},
            time__gt=storable(ordered[0].time - MINUTE),
            time__lte=storable(ordered[-1].time),
        )
        for visitor, time, kind, item in rows.order_by("time").values_list("visitor", "time", "kind", "item"):
            past[visitor].append((aware(time), kind, item))
        return past


def _key(one: Observation) -> str:
    """Event.key. It holds the visitor, since browsers name their reports themselves: nobody takes another's name."""
    digest = blake2b("\0".join((one.visitor, one.id)).encode(), digest_size=32).hexdigest()
    return f"seen:{digest}"
