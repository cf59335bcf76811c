"""Figures of offers by day, which reports add up, so that no page has to read impressions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db import router, transaction
from django.db.models import Count, Sum
from django.utils import timezone

from ..conf import conf
from ..db import MAX_LOOKUP_IDS, chunks, to_aware, to_db_time
from ..learning.progress import Progress, no_progress
from ..models import Checkpoint, Conversion, Correction, DailyExposure, DailyFigure, DailyTotal, Event, Impression, Kind
from ..tracking.importers.base import lock_checkpoint
from ..tracking.importers.stored_lines import MEASURED, line_total
from .attribution import AttributionReport, CreditableEvent, attribute

# The columns by which DailyFigure groups, besides the day and the segment.
GROUP = ("slot", "strategy", "arm", "release")
ZERO = Decimal(0)
# Checkpoint that holds the day of the last run.
CHECKPOINT = "figures"


@dataclass
class MeasureReport:
    """Result of `measure`.

    attribution: of the events
    days: number of days whose figures were computed
    """

    attribution: AttributionReport
    days: int = 0


def measure(progress: Progress = no_progress) -> MeasureReport:
    """Attribute new events to offers, and compute the figures of all days that may have changed.

    These are today, yesterday and the days on which credits changed; in the first run of a day, the whole click window.
    """
    today = timezone.localdate()
    last = Checkpoint.objects.get_or_create(name=CHECKPOINT)[0].position.get("day")
    attribution = attribute(progress, _add_to_totals, _take_from_totals)
    window = 1 if last == today.isoformat() else conf.ATTRIBUTION["click_days"]
    days = attribution.days | {today - timedelta(days=ago) for ago in range(window + 1)}
    for day in sorted(days):
        figures(day)
    Checkpoint.objects.filter(name=CHECKPOINT).update(position={"day": today.isoformat()}, updated=timezone.now())
    return MeasureReport(attribution, len(days))


def _add_to_totals(events: Sequence[CreditableEvent], counted: int) -> None:
    """Add new purchases and refunds to the totals of their days. ``counted``: the last Event.pk before them."""
    revenue: dict[date, Decimal] = defaultdict(Decimal)
    orders: set[tuple[date, str]] = set()
    for event in events:
        if event.kind == Kind.ADD_TO_CART:
            continue
        day, amount = timezone.localdate(event.time), line_total(event.price, event.quantity)
        if event.kind == Kind.PURCHASE:
            orders.add((day, event.basket))
            revenue[day] += amount
        else:
            revenue[day] -= amount
    _change_totals(revenue, Counter(day for day, _ in orders - _counted_orders(orders, counted)))


def _take_from_totals(corrections: Sequence[Correction]) -> None:
    """Take back purchases and refunds that the shop has changed or removed."""
    revenue: dict[date, Decimal] = defaultdict(Decimal)
    orders: set[tuple[date, str]] = set()
    for correction in corrections:
        day = timezone.localdate(to_aware(correction.time))
        if correction.kind == Kind.PURCHASE:
            orders.update({(day, correction.basket)} if correction.basket else ())
            revenue[day] -= correction.amount
        else:
            revenue[day] += correction.amount
    position = Checkpoint.objects.get(name=MEASURED).position
    gone = orders - _counted_orders(orders, position["done"])
    _change_totals(revenue, Counter({day: -count for day, count in Counter(day for day, _ in gone).items()}))


def _counted_orders(orders: Collection[tuple[date, str]], counted: int) -> set[tuple[date, str]]:
    """Those of these (day, order) of which an event up to ``counted`` is a purchase."""
    found: set[tuple[date, str]] = set()
    if counted:
        for chunk in chunks(sorted({basket for _, basket in orders if basket}), MAX_LOOKUP_IDS):
            purchases = Event.objects.filter(basket__in=chunk, pk__lte=counted, kind=Kind.PURCHASE).order_by()
            for basket, moment in purchases.values_list("basket", "time"):
                found.add((timezone.localdate(to_aware(moment)), basket))
    return found


def _change_totals(revenue: Mapping[date, Decimal], orders: Counter[date]) -> None:
    for day in sorted(revenue):
        total, _ = DailyTotal.objects.select_for_update().get_or_create(day=day)
        total.orders = max(total.orders + orders[day], 0)
        total.revenue += revenue[day]
        total.save(update_fields=["orders", "revenue"])


def bounds(day: date) -> tuple[datetime, datetime]:
    """The start and end of a day in the shop's time zone."""
    midnights = (datetime.combine(date_, time.min) for date_ in (day, day + timedelta(days=1)))
    start, end = map(timezone.make_aware, midnights)
    return to_db_time(start), to_db_time(end)


def figures(day: date) -> None:
    """Compute the rows of one day again, in one transaction. Concurrent runs take turns."""
    with transaction.atomic(using=router.db_for_write(DailyFigure)):
        lock_checkpoint(CHECKPOINT)
        _compute(day)


def _compute(day: date) -> None:
    start, end = bounds(day)
    rows: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(dict)
    impressions = Impression.objects.filter(time__gte=start, time__lt=end).order_by()
    counts = impressions.values_list(*GROUP, "visitor__profile__segment").annotate(Count("pk"), Count("clicked"))
    for *group, segment, views, clicks in counts:
        rows[(*group, segment)] |= {"impressions": views, "clicks": clicks}
    conversions = Conversion.objects.filter(time__gte=start, time__lt=end, quantity__gt=0).order_by()
    names = [*(f"impression__{name}" for name in GROUP), "impression__visitor__profile__segment"]
    additions = conversions.filter(is_purchase=False).values_list(*names).annotate(Count("pk"))
    for *group, cart_adds in additions:
        rows[tuple(group)]["cart_adds"] = cart_adds
    baskets: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    lines = conversions.filter(is_purchase=True)
    for *group, basket in lines.values_list(*names, "event__basket").distinct():
        baskets[tuple(group)].add(basket)
    order_values = _order_values(lines, start, end)
    for *group, revenue, margin in lines.values_list(*names).annotate(Sum("revenue"), Sum("margin")):
        orders = baskets[tuple(group)]
        rows[tuple(group)] |= {
            "orders": len(orders),
            "revenue": revenue,
            "margin": margin,
            "order_value": sum((order_values.get(basket, ZERO) for basket in orders), ZERO),
        }
    DailyFigure.objects.filter(day=day).delete()
    DailyFigure.objects.bulk_create(
        DailyFigure(day=day, **dict(zip(GROUP, group, strict=False)), segment=group[-1] or 0, **row)
        for group, row in _stored_groups(rows).items()
    )
    DailyTotal.objects.filter(day=day).update(
        touched_orders=len(order_values), touched_value=sum(order_values.values(), ZERO)
    )
    DailyExposure.objects.filter(day=day).delete()
    DailyExposure.objects.bulk_create(_exposures(day, impressions))


def _stored_groups(rows: dict[tuple[Any, ...], dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Rows by the group as stored: an unknown release or segment is 0."""
    return {
        (slot, strategy, arm, release or 0, segment or 0): row
        for (slot, strategy, arm, release, segment), row in rows.items()
    }


def _order_values(lines: Any, start: datetime, end: datetime) -> dict[str, Decimal]:
    """Total value of the orders with a credited line, by basket."""
    visitors = set(lines.values_list("impression__visitor", flat=True).distinct())
    values: dict[str, Decimal] = dict.fromkeys(lines.values_list("event__basket", flat=True), ZERO)
    for chunk in chunks(sorted(visitors), MAX_LOOKUP_IDS):
        events = Event.objects.filter(
            visitor__in=chunk, time__gte=start, time__lt=end, kind__in=(Kind.PURCHASE, Kind.REFUND)
        )
        for kind, basket, price, quantity in events.values_list("kind", "basket", "price", "quantity"):
            if basket in values:
                amount = (price or ZERO) * quantity
                values[basket] += amount if kind == Kind.PURCHASE else -amount
    return values


NEW_DAYS = 30
# Bounds of the price bands, in the shop's currency.
BANDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
# The dimension of a day's Gini coefficient of impressions by item.
GINI = "gini"


def _exposures(day: date, impressions: Any) -> Iterable[DailyExposure]:
    """Distribution of the day's impressions by kinds of items."""
    counts = impressions.values_list(
        "item", "item__category__path", "item__brand", "item__price", "item__first_seen"
    ).annotate(Count("pk"))
    sums: dict[tuple[str, str], int] = defaultdict(int)
    by_item = []
    for _, path, brand, price, first_seen, count in counts:
        by_item.append(count)
        is_new = first_seen is not None and timezone.localdate(to_aware(first_seen)) > day - timedelta(days=NEW_DAYS)
        sums["category", (path or "").split(" > ")[0][:100]] += count
        sums["brand", (brand or "")[:100]] += count
        sums["price", band(price)] += count
        sums["newness", "new" if is_new else "known"] += count
    if by_item:
        # In ten-thousandths, since the column is an integer.
        sums[GINI, ""] = round(10_000 * gini(by_item))
    for (dimension, value), count in sums.items():
        yield DailyExposure(day=day, dimension=dimension, value=value, impressions=count)


def band(price: Decimal | None) -> str:
    """The lower bound of the price's band; empty if the price is unknown."""
    if price is None:
        return ""
    return str(max((end for end in BANDS if price >= end), default=0))


def gini(counts: Sequence[int]) -> float:
    """Inequality of ``counts``: 0 if all are equal, near 1 if one has everything (C. Gini 1912)."""
    ordered = sorted(counts)
    total = sum(ordered)
    if not total:
        return 0.0
    n = len(ordered)
    return sum((2 * rank - n - 1) * count for rank, count in enumerate(ordered, 1)) / (n * total)
