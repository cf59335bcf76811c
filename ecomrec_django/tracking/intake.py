"""Stores observations as rows, whether they come from a request, a queue or a file.

Each chunk is one transaction. Storing the same observation again changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2b
from typing import Any

from ..db import MAX_LOOKUP_IDS, DriverValues, bulk_insert, chunks, to_aware, to_db_time
from ..models import Arm, Event, Exposure, HeldEvent, Impression, Item, Kind, Visitor
from ..privacy.erasure import erasure_times
from .observation import Observation, ShownOffer, block_visitor
from .omissions import Reason, count_omitted
from .transactions import retry_transaction
from .validation import BURST, DUPLICATE, MINUTE, SKEW
from .visitors import VisitorIds

EVENT = ("kind", "visitor", "item", "time", "quantity", "rating", "basket", "session", "policy", "key")
HELD = ("external_id", "visitor", "kind", "time", "quantity", "rating", "policy", "key")
IMPRESSION = (
    *("visitor", "item", "anchor", "slot", "strategy", "release", "arm", "position", "time", "policy"),
    *("shared_block", "key"),
)
EXPOSURE = ("arm", "visitor", "time", "segment", "propensity", "key")
# Kinds whose immediate repetitions are dropped. A cart may well be filled piece by piece.
COLLAPSED = frozenset({Kind.VIEW_ITEM, Kind.SELECT_ITEM})
# Older observations are dropped: no queue should delay them for so long.
OLDEST = timedelta(days=7)
# Visitors who may report one rendering of a block that a cache showed to several.
MAX_SHARED_VISITORS = 50
# How long events wait for an unknown product to appear in the catalog.
HELD_FOR = timedelta(days=30)

# A held event as read back: pk and the columns HELD.
_HeldRow = tuple[Any, ...]


def store(observations: Sequence[Observation]) -> None:
    """Store valid, new observations and count the others by reason.

    If the database raises an error, nothing is written or counted.
    """
    counts = retry_transaction(lambda: _Intake().add(observations))
    for reason, events in counts.items():
        count_omitted(reason, events)


def release_held() -> int:
    """Store the held events whose items have been mirrored, and drop those that waited too long.

    Returns how many were stored.
    """
    stored = 0
    known = Item.objects.filter(external_id__in=HeldEvent.objects.values("external_id"))
    items = dict(known.values_list("external_id", "pk"))
    for names in chunks(sorted(items), MAX_LOOKUP_IDS):
        released, new = retry_transaction(partial(_release, names, items))
        stored += new
        count_omitted(Reason.DUPLICATE, released - new)
    expired, _ = HeldEvent.objects.filter(time__lt=to_db_time(datetime.now(UTC) - HELD_FOR)).delete()
    count_omitted(Reason.UNKNOWN, expired)
    return stored


def _release(names: list[str], items: dict[str, int]) -> tuple[int, int]:
    """Store the held events of these products; returns how many there were and how many of them are new."""
    held_events = HeldEvent.objects.select_for_update().filter(external_id__in=names)
    rows: list[_HeldRow] = list(held_events.values_list("pk", *HELD))
    values = DriverValues(Event)
    events = [
        (kind, visitor, items[name], values.time(time), quantity, rating, "", "", policy, key)
        for _, name, visitor, kind, time, quantity, rating, policy, key in rows
    ]
    HeldEvent.objects.filter(pk__in=[pk for pk, *_ in rows]).delete()
    return len(rows), bulk_insert(Event, EVENT, events, ignore=True)


def impression_key(shown: ShownOffer, visitor: str, item: str) -> str:
    """Impression.key: unique per block, visitor and offer."""
    return blake2b("\0".join((shown.nonce, visitor, item)).encode(), digest_size=32).hexdigest()


def shared_block(shown: ShownOffer) -> int | None:
    """Impression.shared_block of an offer."""
    if shown.visitor:
        return None
    return int.from_bytes(blake2b(shown.nonce.encode(), digest_size=8).digest(), signed=True)


def exposure_key(arm: int, visitor: str, time: datetime) -> str:
    """Exposure.key: unique per arm, visitor and day (UTC)."""
    day = time.astimezone(UTC).date().isoformat()
    return blake2b(f"exposure\0{arm}\0{visitor}\0{day}".encode(), digest_size=32).hexdigest()


class _Intake:
    """Stores one chunk. It returns its counts, so that a failed transaction counts nothing."""

    def __init__(self) -> None:
        self.counts: defaultdict[Reason, int] = defaultdict(int)
        self._values = DriverValues(Event)

    def add(self, observations: Sequence[Observation]) -> dict[Reason, int]:
        timely = [observation for observation in observations if self._is_timely(observation)]
        visitors = VisitorIds(lock=True)
        visitors.find({observation.visitor for observation in timely})
        # Erasures are read after the rows are locked: a later erasure deletes these events as well.
        unerased = self._unerased(timely, {observation.visitor: observation.visitor for observation in timely})
        self._visitors = visitors.known({observation.visitor for observation in unerased})
        if successors := {key: visitor.key for key, visitor in self._visitors.items() if visitor.key != key}:
            unerased = self._unerased(unerased, successors)
        accepted = [observation for observation in unerased if self._has_consent(observation)]
        actions = self._own_reports(accepted)
        self._store_exposures([action for action in actions if action.exposure])
        actions = [action for action in actions if not action.exposure]
        self._find_items(actions)
        self._store_impressions([action for action in actions if action.kind is Kind.VIEW_ITEM_LIST])
        self._mark_clicks([action for action in actions if action.kind is Kind.SELECT_ITEM and action.shown])
        self._store_events([action for action in actions if action.kind is not Kind.VIEW_ITEM_LIST])
        return dict(self.counts)

    def _is_timely(self, observation: Observation) -> bool:
        now = datetime.now(UTC)
        if observation.time > now + SKEW:
            self.counts[Reason.FUTURE] += 1
        elif observation.time < now - OLDEST:
            self.counts[Reason.STALE] += 1
        else:
            return True
        return False

    def _unerased(self, observations: list[Observation], keys: Mapping[str, str]) -> list[Observation]:
        """Observations that are newer than their visitor's erasure.

        keys: the key to look up in the erasures, by the observation's visitor.
        """
        erasures = erasure_times(set(keys.values()))
        if not erasures:
            return observations
        times = {visitor: erasures[key] for visitor, key in keys.items() if key in erasures}
        unerased = [
            observation
            for observation in observations
            if observation.visitor not in times or observation.time > times[observation.visitor]
        ]
        self.counts[Reason.ERASED] += len(observations) - len(unerased)
        return unerased

    def _has_consent(self, observation: Observation) -> bool:
        if self._visitors[observation.visitor].is_withdrawn:
            self.counts[Reason.WITHDRAWN] += 1
            return False
        return True

    def _find_items(self, observations: list[Observation]) -> None:
        names = {observation.item for observation in observations}
        names |= {
            observation.shown.anchor for observation in observations if observation.shown and observation.shown.anchor
        }
        self._items: dict[str, int] = {}
        for chunk in chunks(sorted(names), MAX_LOOKUP_IDS):
            self._items.update(Item.objects.filter(external_id__in=chunk).values_list("external_id", "pk"))

    def _pk(self, observation: Observation) -> int:
        return self._visitors[observation.visitor].pk

    # -- blocks -----------------------------------------------------------------------------------------------------

    def _own_reports(self, actions: list[Observation]) -> list[Observation]:
        """Without the reports of blocks that were made for others, or that too many visitors report."""
        shared = {number for action in actions if action.shown and (number := shared_block(action.shown)) is not None}
        visitors: dict[int | None, set[int]] = defaultdict(set)
        for chunk in chunks(sorted(shared), MAX_LOOKUP_IDS):
            rows = Impression.objects.filter(shared_block__in=chunk).order_by()
            for block, visitor in rows.values_list("shared_block", "visitor").distinct():
                visitors[block].add(visitor)
        own = [action for action in actions if action.shown is None or self._may_report(action, action.shown, visitors)]
        self.counts[Reason.OTHERS] += len(actions) - len(own)
        return own

    def _may_report(self, action: Observation, shown: ShownOffer, visitors: Mapping[int | None, set[int]]) -> bool:
        """Whether a block was made for this visitor, or for a cookie that has joined their account since; of a shared
        one, whether they are among its first ``visitors``, by number of the block, who then include them."""
        number = shared_block(shown)
        if number is not None:
            reporters = visitors[number]
            if len(reporters) < MAX_SHARED_VISITORS:
                reporters.add(self._pk(action))
            return self._pk(action) in reporters
        if shown.visitor == block_visitor(shown.nonce, action.visitor):
            return True
        joined = Visitor.objects.filter(merged_into=self._pk(action)).values_list("key", flat=True)
        return any(shown.visitor == block_visitor(shown.nonce, key) for key in joined)

    def _store_impressions(self, observations: list[Observation]) -> None:
        rows = [
            (
                self._pk(observation),
                self._items[observation.item],
                self._items.get(shown.anchor),
                shown.slot,
                shown.strategy,
                shown.release,
                shown.arm,
                shown.position,
                self._values.time(observation.time),
                observation.policy,
                shared_block(shown),
                impression_key(shown, observation.visitor, observation.item),
            )
            for observation in observations
            if (shown := observation.shown) and observation.item in self._items
        ]
        self.counts[Reason.DUPLICATE] += len(rows) - bulk_insert(Impression, IMPRESSION, rows, ignore=True)
        self.counts[Reason.UNKNOWN] += len(observations) - len(rows)

    def _mark_clicks(self, observations: list[Observation]) -> None:
        clicks: dict[str, Observation] = {}
        for observation in observations:
            if observation.shown and observation.item in self._items:
                clicks.setdefault(impression_key(observation.shown, observation.visitor, observation.item), observation)
        if not clicks:
            return
        known = set(Impression.objects.filter(key__in=clicks).values_list("key", flat=True))
        # If the impression was lost, the click proves that the offer was seen.
        self._store_impressions([observation for key, observation in clicks.items() if key not in known])
        for key, observation in clicks.items():
            Impression.objects.filter(key=key, clicked=None).update(clicked=to_db_time(observation.time))

    def _store_exposures(self, observations: list[Observation]) -> None:
        """Store the first exposure per visitor, arm and day; exposures to deleted arms are ignored."""
        exposures = [(observation, observation.exposure) for observation in observations if observation.exposure]
        arms = set(Arm.objects.filter(pk__in={exposure.arm for _, exposure in exposures}).values_list("pk", flat=True))
        rows = [
            (
                exposure.arm,
                self._pk(observation),
                self._values.time(observation.time),
                exposure.segment,
                exposure.propensity,
                exposure_key(exposure.arm, observation.visitor, observation.time),
            )
            for observation, exposure in exposures
            if exposure.arm in arms
        ]
        bulk_insert(Exposure, EXPOSURE, rows, ignore=True)

    # -- events -----------------------------------------------------------------------------------------------------

    def _store_events(self, observations: list[Observation]) -> None:
        fresh = self._without_repetition(observations)
        rows = [
            (
                observation.kind.value,
                self._pk(observation),
                self._items[observation.item],
                self._values.time(observation.time),
                observation.quantity,
                observation.rating,
                "",
                "",
                observation.policy,
                _key(observation),
            )
            for observation in fresh
            if observation.item in self._items
        ]
        self.counts[Reason.DUPLICATE] += len(rows) - bulk_insert(Event, EVENT, rows, ignore=True)
        self._hold([observation for observation in fresh if observation.item not in self._items])

    def _hold(self, observations: list[Observation]) -> None:
        rows = [
            (
                observation.item,
                self._pk(observation),
                observation.kind.value,
                self._values.time(observation.time),
                observation.quantity,
                observation.rating,
                observation.policy,
                _key(observation),
            )
            for observation in observations
        ]
        new = bulk_insert(HeldEvent, HELD, rows, ignore=True)
        self.counts[Reason.HELD] += new
        self.counts[Reason.DUPLICATE] += len(rows) - new

    def _without_repetition(self, observations: list[Observation]) -> list[Observation]:
        """Observations by time, without repetitions and without the excess of visitors faster than people are."""
        if not observations:
            return []
        ordered = sorted(observations, key=lambda observation: observation.time)
        past = self._recent(ordered)
        accepted = []
        for observation in ordered:
            # (time, kind, item) of this visitor's events within the last minute.
            recent = [
                row for row in past[self._pk(observation)] if observation.time - MINUTE < row[0] <= observation.time
            ]
            action = (observation.kind.value, self._items.get(observation.item, observation.item))
            if observation.kind in COLLAPSED and any(
                row[1:] == action and observation.time - row[0] < DUPLICATE for row in recent
            ):
                self.counts[Reason.DUPLICATE] += 1
            elif len(recent) >= BURST:
                self.counts[Reason.BURST] += 1
            else:
                recent.append((observation.time, *action))
                past[self._pk(observation)] = recent
                accepted.append(observation)
        return accepted

    def _recent(self, ordered: list[Observation]) -> dict[int, list[tuple[datetime, str, Any]]]:
        """(time, kind, item) of the events in the minute before these observations, by Visitor.pk."""
        past: dict[int, list[tuple[datetime, str, Any]]] = defaultdict(list)
        rows = Event.objects.filter(
            visitor__in={self._pk(observation) for observation in ordered},
            time__gt=to_db_time(ordered[0].time - MINUTE),
            time__lte=to_db_time(ordered[-1].time),
        )
        for visitor, time, kind, item in rows.order_by("time").values_list("visitor", "time", "kind", "item"):
            past[visitor].append((to_aware(time), kind, item))
        return past


def _key(observation: Observation) -> str:
    """Event.key. It includes the visitor: ids chosen by one browser must not collide with those of another."""
    digest = blake2b("\0".join((observation.visitor, observation.id)).encode(), digest_size=32).hexdigest()
    return f"seen:{digest}"
