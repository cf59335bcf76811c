"""Credits what was bought to the offer that led to it: the last one of the same item that was clicked, or else seen."""

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
from ..models import Checkpoint, Conversion, Event, Impression, Item, Kind
from ..models.bulk import LOOKUP, Values, aware, chunks, collector_paused, insert, storable
from ..serving.tokens import BLOCK_AGE
from ..tracking.imports import take_turns
from ..tracking.orders import CHECKPOINT as ORDERS
from ..tracking.orders import line_of, refunded

CHECKPOINT = "attribution"
# Events by primary key, of which a transaction takes so many.
CHUNK = 50_000
# Visitors whose impressions are read at once.
VISITORS = 500
FIELDS = ("event", "impression", "touch", "purchase", "quantity", "revenue", "margin", "time")
READ = ("pk", "kind", "visitor", "item", "time", "quantity", "price", "basket", "key")
# An order's lines stay together, up to so many.
LONGEST_ORDER = 2_000


class Happened(NamedTuple):
    """An event as READ."""

    pk: int
    kind: str
    visitor: int | None
    item: int
    time: datetime
    quantity: int
    price: Decimal | None
    basket: str
    key: str | None


@dataclass
class AttributionReport:
    """Purchases and adds to carts that were looked at, those credited anew, refunds taken back; ``days``: those on
    which credits changed, in the shop's time zone."""

    events: int = 0
    credited: int = 0
    refunded: int = 0
    days: set[date] = field(default_factory=set)


@collector_paused()
def attribute(
    progress: Callable[[int, int], None] | None = None,
    count: Callable[[Sequence[Happened]], None] | None = None,
) -> AttributionReport:
    """Look at every event since the last time, and once a day again at those of the click window, whose visitor may
    have become known since. Doing it again changes nothing.

    ``progress`` is called with (events seen, events in all). ``count`` gets each chunk of new events, once, within the
    transaction that remembers it.
    """
    report = AttributionReport()
    Checkpoint.objects.get_or_create(name=CHECKPOINT, defaults={"position": {"done": 0, "days": {}}})
    position = Checkpoint.objects.get(name=CHECKPOINT).position
    done, end = position["done"], _end()
    again = _again(position)
    total = max(end - min(done, again), 0)
    for start, stop in _ranges(again, min(done, end)):
        with transaction.atomic(using=router.db_for_write(Conversion)):
            _credit(_read(start, stop), report)
        if progress:
            progress(stop - again, total)
    while done < end:
        with transaction.atomic(using=router.db_for_write(Conversion)):
            # Two jobs at once take turns, and the second one finds nothing left to do.
            checkpoint = Checkpoint.objects.select_for_update().get(name=CHECKPOINT)
            done = max(done, checkpoint.position["done"])
            happened = _read(done, min(done + CHUNK, end))
            stop = min(done + CHUNK, end)
            happened += _rest_of_order(happened, stop)
            stop = max(stop, happened[-1].pk if happened else 0)
            _credit(happened, report)
            if count:
                count(happened)
            checkpoint.position = {**checkpoint.position, "done": stop, "days": _days(position, done)}
            checkpoint.save()
            done = stop
        if progress:
            progress(min(done - min(again, position["done"]), total), total)
    return report


def _end() -> int:
    """The last event's primary key. An import that is at work has its keys already: it is waited for, lest its lines
    come in behind what was looked at."""
    with transaction.atomic(using=router.db_for_write(Event)):
        take_turns(ORDERS)
        return Event.objects.aggregate(last=Max("pk"))["last"] or 0


def _ranges(start: int, end: int) -> Iterator[tuple[int, int]]:
    for first in range(start, end, CHUNK):
        yield first, min(first + CHUNK, end)


def _again(position: dict[str, object]) -> int:
    """From behind which event to look again: once a day, those of the click window."""
    days = position["days"]
    assert isinstance(days, dict)
    today = timezone.now().astimezone(UTC).date()
    if today.isoformat() in days or not days:
        return int(str(position["done"]))
    oldest = (today - timedelta(days=conf.ATTRIBUTION["click_days"] + 1)).isoformat()
    return min((pk for day, pk in days.items() if day >= oldest), default=int(str(position["done"])))


def _days(position: dict[str, object], done: int) -> dict[str, int]:
    """Up to which event the first run of each day had come, for the days of the click window."""
    days = position["days"]
    assert isinstance(days, dict)
    today = timezone.now().astimezone(UTC).date()
    oldest = (today - timedelta(days=conf.ATTRIBUTION["click_days"] + 1)).isoformat()
    kept = {day: pk for day, pk in days.items() if day >= oldest}
    return {today.isoformat(): done, **kept}


def _read(start: int, stop: int) -> list[Happened]:
    kinds = (Kind.PURCHASE, Kind.REFUND, Kind.ADD_TO_CART)
    rows = Event.objects.filter(pk__gt=start, pk__lte=stop, kind__in=kinds).order_by("pk").values_list(*READ)
    return [Happened(*row)._replace(time=aware(row[4])) for row in rows]


def _rest_of_order(happened: list[Happened], stop: int) -> list[Happened]:
    """The lines of the last order that the chunk's end would cut off."""
    if not happened or not happened[-1].basket:
        return []
    rest = []
    for one in _read(stop, stop + LONGEST_ORDER):
        if one.basket != happened[-1].basket:
            break
        rest.append(one)
    return rest


def _credit(happened: Sequence[Happened], report: AttributionReport) -> None:
    report.events += len(happened)
    acts = [one for one in happened if one.kind != Kind.REFUND and one.visitor is not None]
    touched = dict(_touched(acts))
    known = set(Conversion.objects.filter(event__in=list(touched)).values_list("event", flat=True))
    fresh = [one for one in acts if one.pk in touched and one.pk not in known]
    refunds = [one for one in happened if one.kind == Kind.REFUND]
    before = refunded({line_of(one.key or "") for one in fresh if one.kind == Kind.PURCHASE})
    costs = _costs(one.item for one in fresh)
    values = Values(Conversion)
    rows = []
    for one in fresh:
        impression, touch = touched[one.pk]
        quantity, revenue, margin = worth(one, before.get(line_of(one.key or ""), 0), costs.get(one.item))
        time = values.time(one.time)
        money = values.price(revenue), values.price(margin)
        rows.append((one.pk, impression, touch, one.kind == Kind.PURCHASE, quantity, *money, time))
    report.credited += insert(Conversion, FIELDS, rows, ignore=True)
    report.days |= {timezone.localdate(one.time) for one in fresh}
    _take_back(refunds, report)


def _touched(acts: Iterable[Happened]) -> Iterator[tuple[int, tuple[int, str]]]:
    """(Event.pk, (Impression.pk, touch)) of those that an offer led to."""
    clicks = timedelta(days=conf.ATTRIBUTION["click_days"])
    views = timedelta(days=conf.ATTRIBUTION["view_days"])
    # A page may lie open for a while before it is clicked.
    longest = max(clicks + BLOCK_AGE, views)
    by_visitor: dict[int, list[Happened]] = defaultdict(list)
    for one in acts:
        by_visitor[one.visitor or 0].append(one)
    for some in chunks(sorted(by_visitor), VISITORS):
        theirs = [one for visitor in some for one in by_visitor[visitor]]
        shown = Impression.objects.filter(
            visitor__in=some,
            time__gte=storable(min(one.time for one in theirs) - longest),
            time__lte=storable(max(one.time for one in theirs)),
        )
        found: dict[tuple[int, int], list[tuple[int, datetime, datetime | None]]] = defaultdict(list)
        for pk, visitor, item, time, clicked in shown.values_list("pk", "visitor", "item", "time", "clicked"):
            found[visitor, item].append((pk, aware(time), aware(clicked) if clicked else None))
        for one in theirs:
            if touch := last_touch(one.time, found.get((one.visitor or 0, one.item), ()), clicks, views):
                yield one.pk, touch


def last_touch(
    time: datetime,
    impressions: Iterable[tuple[int, datetime, datetime | None]],
    clicks: timedelta,
    views: timedelta,
) -> tuple[int, str] | None:
    """The impression, of (pk, time, click or None), that what happened at ``time`` is credited to: the latest click
    within ``clicks`` before, else the latest view within ``views``; None for neither."""
    clicked = [(click, pk) for pk, _, click in impressions if click is not None and click <= time <= click + clicks]
    if clicked:
        return max(clicked)[1], Conversion.Touch.CLICK.value
    seen = [(shown, pk) for pk, shown, _ in impressions if shown <= time <= shown + views]
    return (max(seen)[1], Conversion.Touch.VIEW.value) if seen else None


def worth(one: Happened, given_back: int, cost: Decimal | None) -> tuple[int, Decimal, Decimal]:
    """Pieces kept, and the revenue and margin of them; nothing for what is only in a cart."""
    if one.kind != Kind.PURCHASE:
        return one.quantity, Decimal(0), Decimal(0)
    pieces = max(one.quantity - given_back, 0)
    revenue = (one.price or Decimal(0)) * pieces
    return pieces, revenue, revenue if cost is None else revenue - cost * pieces


def _costs(items: Iterable[int]) -> dict[int, Decimal | None]:
    found: dict[int, Decimal | None] = {}
    for some in chunks(sorted(set(items)), LOOKUP):
        found.update(Item.objects.filter(pk__in=some).values_list("pk", "cost"))
    return found


def _take_back(refunds: Sequence[Happened], report: AttributionReport) -> None:
    """Make the conversions of what was given back net of it."""
    report.refunded += len(refunds)
    for some in chunks(sorted({f"purchase:{line_of(one.key or '')}" for one in refunds}), LOOKUP):
        credited = list(Conversion.objects.filter(event__key__in=some).select_related("event", "event__item"))
        pieces = refunded(line_of(conversion.event.key or "") for conversion in credited)
        for conversion in credited:
            given_back = pieces.get(line_of(conversion.event.key or ""), 0)
            bought, cost = _happened(conversion.event), conversion.event.item.cost
            conversion.quantity, conversion.revenue, conversion.margin = worth(bought, given_back, cost)
            report.days.add(timezone.localdate(bought.time))
        Conversion.objects.bulk_update(credited, ["quantity", "revenue", "margin"])


def _happened(event: Event) -> Happened:
    return Happened(
        event.pk,
        event.kind,
        event.visitor_id,
        event.item_id,
        aware(event.time),
        event.quantity,
        event.price,
        event.basket,
        event.key,
    )
