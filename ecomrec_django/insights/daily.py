"""What each day's offers did, as rows that reports add up: a page of figures never walks through impressions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db import router, transaction
from django.db.models import Count, F, Sum
from django.utils import timezone

from ..conf import conf
from ..models import Checkpoint, Conversion, DailyExposure, DailyFigure, DailyTotal, Event, Impression, Kind
from ..models.bulk import LOOKUP, aware, chunks, storable
from ..tracking.imports import take_turns
from .attribution import AttributionReport, Happened, attribute

# What one row of DailyFigure is of, beside its day.
GROUP = ("slot", "strategy", "arm", "release")
ZERO = Decimal(0)
# Checkpoint that holds the day of the last run.
CHECKPOINT = "figures"


@dataclass
class MeasureReport:
    """What `measure` did: see `AttributionReport`, and the days whose figures were made anew."""

    attribution: AttributionReport
    days: int = 0


def measure(progress: Callable[[int, int], None] | None = None) -> MeasureReport:
    """Credit what was bought, and make the figures of the days anew that may have changed: today, yesterday, and those
    on which credits changed; with the first run of a day, all of the click window."""
    today = timezone.localdate()
    last = Checkpoint.objects.get_or_create(name=CHECKPOINT)[0].position.get("day")
    found = attribute(progress, _total)
    window = 1 if last == today.isoformat() else conf.ATTRIBUTION["click_days"]
    days = found.days | {today - timedelta(days=ago) for ago in range(window + 1)}
    for day in sorted(days):
        figures(day)
    Checkpoint.objects.filter(name=CHECKPOINT).update(position={"day": today.isoformat()}, updated=timezone.now())
    return MeasureReport(found, len(days))


def _total(happened: Sequence[Happened]) -> None:
    """Add new purchases and refunds to the totals of their days."""
    orders: dict[date, set[str]] = defaultdict(set)
    revenue: dict[date, Decimal] = defaultdict(Decimal)
    for one in happened:
        if one.kind == Kind.ADD_TO_CART:
            continue
        day, worth = timezone.localdate(one.time), (one.price or ZERO) * one.quantity
        if one.kind == Kind.PURCHASE:
            orders[day].add(one.basket)
            revenue[day] += worth
        else:
            revenue[day] -= worth
    for day in sorted(revenue):
        DailyTotal.objects.get_or_create(day=day)
        DailyTotal.objects.filter(day=day).update(
            orders=F("orders") + len(orders[day]), revenue=F("revenue") + revenue[day]
        )


def bounds(day: date) -> tuple[datetime, datetime]:
    """When a day begins and ends in the shop's time zone."""
    first, next_one = (timezone.make_aware(datetime.combine(one, time.min)) for one in (day, day + timedelta(days=1)))
    return storable(first), storable(next_one)


def figures(day: date) -> None:
    """Make the rows of one day anew, in one transaction. Runs at once take turns: each counts what the one before it
    left."""
    with transaction.atomic(using=router.db_for_write(DailyFigure)):
        take_turns(CHECKPOINT)
        _make(day)


def _make(day: date) -> None:
    begins, ends = bounds(day)
    rows: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(dict)
    shown = Impression.objects.filter(time__gte=begins, time__lt=ends).order_by()
    counted = shown.values_list(*GROUP, "visitor__profile__segment").annotate(Count("pk"), Count("clicked"))
    for *group, segment, impressions, clicks in counted:
        rows[(*group, segment)] |= {"impressions": impressions, "clicks": clicks}
    credited = Conversion.objects.filter(time__gte=begins, time__lt=ends, quantity__gt=0).order_by()
    names = [*(f"impression__{name}" for name in GROUP), "impression__visitor__profile__segment"]
    added = credited.filter(purchase=False).values_list(*names).annotate(Count("pk"))
    for *group, cart_adds in added:
        rows[tuple(group)]["cart_adds"] = cart_adds
    baskets: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    lines = credited.filter(purchase=True)
    for *group, basket in lines.values_list(*names, "event__basket").distinct():
        baskets[tuple(group)].add(basket)
    worth = _worth(lines, begins, ends)
    for *group, revenue, margin in lines.values_list(*names).annotate(Sum("revenue"), Sum("margin")):
        own = baskets[tuple(group)]
        rows[tuple(group)] |= {
            "orders": len(own),
            "revenue": revenue,
            "margin": margin,
            "order_value": sum((worth.get(basket, ZERO) for basket in own), ZERO),
        }
    DailyFigure.objects.filter(day=day).delete()
    DailyFigure.objects.bulk_create(
        DailyFigure(day=day, **dict(zip(GROUP, group, strict=False)), segment=group[-1] or 0, **row)
        for group, row in _without_nothing(rows).items()
    )
    DailyTotal.objects.filter(day=day).update(touched_orders=len(worth), touched_value=sum(worth.values(), ZERO))
    DailyExposure.objects.filter(day=day).delete()
    DailyExposure.objects.bulk_create(_exposures(day, shown))


def _without_nothing(rows: dict[tuple[Any, ...], dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """By the group as it is stored: a release or segment that is not known is 0."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for (slot, strategy, arm, release, segment), row in rows.items():
        found[(slot, strategy, arm, release or 0, segment or 0)] = row
    return found


def _worth(lines: Any, begins: datetime, ends: datetime) -> dict[str, Decimal]:
    """What the orders with a credited line were worth in all, by basket."""
    visitors = set(lines.values_list("impression__visitor", flat=True).distinct())
    wanted = set(lines.values_list("event__basket", flat=True))
    found: dict[str, Decimal] = dict.fromkeys(wanted, ZERO)
    for some in chunks(sorted(visitors), LOOKUP):
        bought = Event.objects.filter(
            visitor__in=some, time__gte=begins, time__lt=ends, kind__in=(Kind.PURCHASE, Kind.REFUND)
        )
        for kind, basket, price, quantity in bought.values_list("kind", "basket", "price", "quantity"):
            if basket in wanted:
                worth = (price or ZERO) * quantity
                found[basket] += worth if kind == Kind.PURCHASE else -worth
    return found


NEW_DAYS = 30
# Ends of the price bands, in the shop's currency.
BANDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
# How many items hold how many impressions: a figure of the day, stored as one row of this dimension.
GINI = "gini"


def _exposures(day: date, shown: Any) -> Iterable[DailyExposure]:
    """How the day's impressions spread over kinds of items."""
    counts = shown.values_list(
        "item", "item__category__path", "item__brand", "item__price", "item__first_seen"
    ).annotate(Count("pk"))
    sums: dict[tuple[str, str], int] = defaultdict(int)
    impressions = []
    for _, path, brand, price, first_seen, many in counts:
        impressions.append(many)
        fresh = first_seen is not None and timezone.localdate(aware(first_seen)) > day - timedelta(days=NEW_DAYS)
        sums["category", (path or "").split(" > ")[0][:100]] += many
        sums["brand", (brand or "")[:100]] += many
        sums["price", band(price)] += many
        sums["newness", "new" if fresh else "known"] += many
    if impressions:
        # In ten-thousandths: the column is a whole number.
        sums[GINI, ""] = round(10_000 * gini(impressions))
    for (dimension, value), many in sums.items():
        yield DailyExposure(day=day, dimension=dimension, value=value, impressions=many)


def band(price: Decimal | None) -> str:
    """The price band, as the number it begins at; "" where the price is unknown."""
    if price is None:
        return ""
    return str(max((end for end in BANDS if price >= end), default=0))


def gini(counts: Sequence[int]) -> float:
    """How unevenly ``counts`` are spread: 0 where all are equal, towards 1 where one has all (C. Gini 1912)."""
    ordered = sorted(counts)
    total = sum(ordered)
    if not total:
        return 0.0
    many = len(ordered)
    return sum((2 * place - many - 1) * count for place, count in enumerate(ordered, 1)) / (many * total)
