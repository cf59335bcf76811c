"""Attributes purchases and cart additions to offers: the last offer of the same item that was clicked, else seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db import router, transaction
from django.db.models import Max
from django.utils import timezone

from ..conf import conf
from ..db import MAX_LOOKUP_IDS, DriverValues, bulk_insert, chunks, gc_paused, to_aware, to_db_time
from ..learning.progress import Progress, no_progress
from ..models import Checkpoint, Conversion, Correction, Event, Impression, Item, Kind
from ..serving.tokens import BLOCK_AGE
from ..tracking.importers.base import lock_checkpoint
from ..tracking.importers.stored_lines import CHECKPOINT as ORDERS
from ..tracking.importers.stored_lines import MEASURED as CHECKPOINT
from ..tracking.importers.stored_lines import line_of, refunded_quantities

# Events per transaction, by primary key.
CHUNK = 50_000
# Visitors whose impressions are read by one query.
VISITORS = 500
FIELDS = ("event", "impression", "touch", "is_purchase", "quantity", "revenue", "margin", "time")
READ = ("pk", "kind", "visitor", "item", "time", "quantity", "price", "basket", "key")
# The lines of an order are processed together, up to this many.
LONGEST_ORDER = 2_000


class CreditableEvent(NamedTuple):
    """The columns READ of an event."""

    pk: int
    kind: str
    visitor: int | None
    item: int
    time: datetime
    quantity: int | Decimal
    price: Decimal | None
    basket: str
    key: str | None


@dataclass(kw_only=True)
class AttributionReport:
    """Result of an attribution.

    events: events read
    credited: new credits
    refunded: refunds subtracted
    corrected: purchases and refunds that the shop has changed or removed
    days: days on which credits changed, in the shop's time zone
    """

    events: int = 0
    credited: int = 0
    refunded: int = 0
    corrected: int = 0
    days: set[date] = field(default_factory=set)


@gc_paused()
def attribute(
    progress: Progress = no_progress,
    count: Callable[[Sequence[CreditableEvent], int], None] | None = None,
    take_back: Callable[[Sequence[Correction]], None] | None = None,
) -> AttributionReport:
    """Attribute all new events; once a day also those of the click window again, whose visitors may be known by now.

    Repeating it changes nothing. ``progress`` is called with (events read, total). ``count`` gets each chunk of new
    events exactly once, in the transaction that moves the checkpoint, and Event.pk of the last one before them.
    ``take_back`` gets exactly once those of them that the shop has changed or removed since.
    """
    report = AttributionReport()
    Checkpoint.objects.get_or_create(name=CHECKPOINT, defaults={"position": {"done": 0, "days": {}}})
    _correct(report, take_back)
    position = Checkpoint.objects.get(name=CHECKPOINT).position
    done, end = position["done"], _end()
    again = _again(position)
    total = max(end - min(done, again), 0)
    for start, stop in _ranges(again, min(done, end)):
        with transaction.atomic(using=router.db_for_write(Conversion)):
            _credit(_read(start, stop), report)
        progress(stop - again, total)
    while done < end:
        with transaction.atomic(using=router.db_for_write(Conversion)):
            # Concurrent jobs take turns, and the second one finds nothing left to do.
            checkpoint = _locked()
            done = max(done, checkpoint.position["done"])
            events = _read(done, min(done + CHUNK, end))
            stop = min(done + CHUNK, end)
            events += _rest_of_order(events, stop)
            stop = max(stop, events[-1].pk if events else 0)
            _credit(events, report)
            if count:
                count(events, done)
            checkpoint.position = {**checkpoint.position, "done": stop, "days": _days(position, done)}
            checkpoint.save()
            done = stop
        progress(min(done - min(again, position["done"]), total), total)
    return report


def _locked() -> Checkpoint:
    """The checkpoint, locked with that of orders: by it, an import tells whether what it changes was counted."""
    rows = Checkpoint.objects.select_for_update().filter(name__in=(CHECKPOINT, ORDERS)).order_by("pk")
    return {row.name: row for row in rows}[CHECKPOINT]


def _correct(report: AttributionReport, take_back: Callable[[Sequence[Correction]], None] | None) -> None:
    """Take back what was counted and is no longer so; the credits went with the events."""
    with transaction.atomic(using=router.db_for_write(Conversion)):
        _locked()
        corrections = list(Correction.objects.order_by("pk"))
        if take_back:
            take_back(corrections)
        for chunk in chunks(corrections, MAX_LOOKUP_IDS):
            Correction.objects.filter(pk__in=[correction.pk for correction in chunk]).delete()
    report.corrected += len(corrections)
    report.days |= {timezone.localdate(to_aware(correction.time)) for correction in corrections}


def _end() -> int:
    """The last event's primary key, after waiting for a running import, whose events may have smaller keys."""
    with transaction.atomic(using=router.db_for_write(Event)):
        lock_checkpoint(ORDERS)
        return Event.objects.aggregate(last=Max("pk"))["last"] or 0


def _ranges(start: int, end: int) -> Iterator[tuple[int, int]]:
    for first in range(start, end, CHUNK):
        yield first, min(first + CHUNK, end)


def _again(position: dict[str, object]) -> int:
    """The event after which events are read again: once a day, the start of the click window."""
    days = position["days"]
    assert isinstance(days, dict)
    today = timezone.now().astimezone(UTC).date()
    if today.isoformat() in days or not days:
        return int(str(position["done"]))
    oldest = (today - timedelta(days=conf.ATTRIBUTION["click_days"] + 1)).isoformat()
    return min((pk for day, pk in days.items() if day >= oldest), default=int(str(position["done"])))


def _days(position: dict[str, object], done: int) -> dict[str, int]:
    """The last event before the first run of each day, for the days of the click window."""
    days = position["days"]
    assert isinstance(days, dict)
    today = timezone.now().astimezone(UTC).date()
    oldest = (today - timedelta(days=conf.ATTRIBUTION["click_days"] + 1)).isoformat()
    return {today.isoformat(): done, **{day: pk for day, pk in days.items() if day >= oldest}}


def _read(start: int, stop: int) -> list[CreditableEvent]:
    kinds = (Kind.PURCHASE, Kind.REFUND, Kind.ADD_TO_CART)
    rows = Event.objects.filter(pk__gt=start, pk__lte=stop, kind__in=kinds).order_by("pk").values_list(*READ)
    return [CreditableEvent._make(row)._replace(time=to_aware(row[4])) for row in rows]


def _rest_of_order(events: list[CreditableEvent], stop: int) -> list[CreditableEvent]:
    """The remaining lines of the order at the end of a chunk."""
    if not events or not events[-1].basket:
        return []
    rest = []
    for event in _read(stop, stop + LONGEST_ORDER):
        if event.basket != events[-1].basket:
            break
        rest.append(event)
    return rest


def _credit(events: Sequence[CreditableEvent], report: AttributionReport) -> None:
    report.events += len(events)
    actions = [event for event in events if event.kind != Kind.REFUND and event.visitor is not None]
    touched = dict(_touched(actions))
    known = set(Conversion.objects.filter(event__in=list(touched)).values_list("event", flat=True))
    fresh = [event for event in actions if event.pk in touched and event.pk not in known]
    refunds = [event for event in events if event.kind == Kind.REFUND]
    before = refunded_quantities({line_of(event.key or "") for event in fresh if event.kind == Kind.PURCHASE})
    costs = _costs(event.item for event in fresh)
    values = DriverValues(Conversion)
    rows = []
    for event in fresh:
        impression, touch = touched[event.pk]
        quantity, revenue, margin = net_amounts(event, before.get(line_of(event.key or ""), 0), costs.get(event.item))
        time = values.time(event.time)
        money = values.price(revenue), values.price(margin)
        rows.append((event.pk, impression, touch, event.kind == Kind.PURCHASE, quantity, *money, time))
    report.credited += bulk_insert(Conversion, FIELDS, rows, ignore=True)
    report.days |= {timezone.localdate(event.time) for event in fresh}
    _subtract_refunds(refunds, report)


def _touched(actions: Iterable[CreditableEvent]) -> Iterator[tuple[int, tuple[int, str]]]:
    """(Event.pk, (Impression.pk, touch)) of the events with a preceding offer."""
    clicks = timedelta(days=conf.ATTRIBUTION["click_days"])
    views = timedelta(days=conf.ATTRIBUTION["view_days"])
    # A page may stay open for a while before an offer is clicked.
    longest = max(clicks + BLOCK_AGE, views)
    by_visitor: dict[int, list[CreditableEvent]] = defaultdict(list)
    for event in actions:
        by_visitor[event.visitor or 0].append(event)
    for chunk in chunks(sorted(by_visitor), VISITORS):
        chunk_events = [event for visitor in chunk for event in by_visitor[visitor]]
        rows = Impression.objects.filter(
            visitor__in=chunk,
            time__gte=to_db_time(min(event.time for event in chunk_events) - longest),
            time__lte=to_db_time(max(event.time for event in chunk_events)),
        )
        impressions: dict[tuple[int, int], list[tuple[int, datetime, datetime | None]]] = defaultdict(list)
        for pk, visitor, item, time, clicked in rows.values_list("pk", "visitor", "item", "time", "clicked"):
            impressions[visitor, item].append((pk, to_aware(time), to_aware(clicked) if clicked else None))
        for event in chunk_events:
            if touch := last_touch(event.time, impressions.get((event.visitor or 0, event.item), ()), clicks, views):
                yield event.pk, touch


def last_touch(
    time: datetime,
    impressions: Iterable[tuple[int, datetime, datetime | None]],
    clicks: timedelta,
    views: timedelta,
) -> tuple[int, str] | None:
    """The impression to which an event at ``time`` is credited, and its touch.

    It is the one with the latest click within ``clicks`` before, else the latest one within ``views``; None if neither.
    impressions: (pk, time, time of the click or None)
    """
    clicked = [(click, pk) for pk, _, click in impressions if click is not None and click <= time <= click + clicks]
    if clicked:
        return max(clicked)[1], Conversion.Touch.CLICK.value
    viewed = [(view, pk) for pk, view, _ in impressions if view <= time <= view + views]
    return (max(viewed)[1], Conversion.Touch.VIEW.value) if viewed else None


def net_amounts(
    event: CreditableEvent, refunded_pieces: int | Decimal, cost: Decimal | None
) -> tuple[int | Decimal, Decimal, Decimal]:
    """Pieces without refunded ones, and their revenue and margin; no revenue for a cart addition."""
    if event.kind != Kind.PURCHASE:
        return event.quantity, Decimal(0), Decimal(0)
    pieces = max(event.quantity - refunded_pieces, 0)
    revenue = (event.price or Decimal(0)) * pieces
    return pieces, revenue, revenue if cost is None else revenue - cost * pieces


def _costs(items: Iterable[int]) -> dict[int, Decimal | None]:
    costs: dict[int, Decimal | None] = {}
    for chunk in chunks(sorted(set(items)), MAX_LOOKUP_IDS):
        costs.update(Item.objects.filter(pk__in=chunk).values_list("pk", "cost"))
    return costs


def _subtract_refunds(refunds: Sequence[CreditableEvent], report: AttributionReport) -> None:
    """Subtract refunds from the conversions of their purchases."""
    report.refunded += len(refunds)
    for chunk in chunks(sorted({f"purchase:{line_of(event.key or '')}" for event in refunds}), MAX_LOOKUP_IDS):
        credited = list(Conversion.objects.filter(event__key__in=chunk).select_related("event", "event__item"))
        pieces = refunded_quantities(line_of(conversion.event.key or "") for conversion in credited)
        for conversion in credited:
            refunded_pieces = pieces.get(line_of(conversion.event.key or ""), 0)
            purchase, cost = _creditable(conversion.event), conversion.event.item.cost
            conversion.quantity, conversion.revenue, conversion.margin = net_amounts(purchase, refunded_pieces, cost)
            report.days.add(timezone.localdate(purchase.time))
        Conversion.objects.bulk_update(credited, ["quantity", "revenue", "margin"])


def _creditable(event: Event) -> CreditableEvent:
    return CreditableEvent(
        pk=event.pk,
        kind=event.kind,
        visitor=event.visitor_id,
        item=event.item_id,
        time=to_aware(event.time),
        quantity=event.quantity,
        price=event.price,
        basket=event.basket,
        key=event.key,
    )
