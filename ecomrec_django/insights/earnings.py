"""Reports of what offers earned, added up from the rows of days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from math import sqrt
from typing import Any

from django.db.models import Q, QuerySet, Sum
from django.utils.translation import gettext as _

from ..errors import DataError
from ..learning.bootstrap import Z
from ..models import Arm, DailyExposure, DailyFigure, DailyTotal, Release, Segment

DIMENSIONS = ("strategy", "slot", "arm", "segment", "release", "day")
SUMS = ("impressions", "clicks", "cart_adds", "orders", "revenue", "margin", "order_value")
# Longer than this nobody reads, and the rows of years cost time.
MOST_DAYS = 731
ZERO = Decimal(0)


@dataclass(frozen=True)
class Line:
    """One row of a report. ``impressions`` came into view (half of the offer for a second); ``revenue`` and ``margin``
    are attributed: credited to an offer, whether or not it would have been bought without."""

    value: str
    label: str
    impressions: int
    clicks: int
    cart_adds: int
    orders: int
    revenue: Decimal
    margin: Decimal
    order_value: Decimal

    @property
    def ctr(self) -> float | None:
        """Clicks an impression."""
        return self.clicks / self.impressions if self.impressions else None

    @property
    def ctr_interval(self) -> tuple[float, float] | None:
        """Its 95 % interval (E. B. Wilson 1927)."""
        return wilson(self.clicks, self.impressions) if self.impressions else None

    @property
    def average_order(self) -> Decimal | None:
        """What an order with an offer in it was worth in all."""
        return self.order_value / self.orders if self.orders else None


@dataclass(frozen=True)
class Totals:
    """All orders of the shop in the same days, and those of them with an offer in them."""

    orders: int = 0
    revenue: Decimal = ZERO
    touched_orders: int = 0
    touched_value: Decimal = ZERO

    @property
    def average_with(self) -> Decimal | None:
        return self.touched_value / self.touched_orders if self.touched_orders else None

    @property
    def average_without(self) -> Decimal | None:
        orders = self.orders - self.touched_orders
        return (self.revenue - self.touched_value) / orders if orders > 0 else None


def period(since: date, until: date) -> tuple[date, date]:
    """The days of a report, both included. Raises DataError for what is none."""
    if until < since:
        raise DataError(
            _("The last day %(until)s lies before the first, %(since)s.") % {"until": until, "since": since}
        )
    if (until - since).days >= MOST_DAYS:
        raise DataError(_("At most %(days)s days can be reported at once.") % {"days": MOST_DAYS})
    return since, until


def report(since: date, until: date, by: str, only: Mapping[str, str] | None = None) -> list[Line]:
    """What offers earned by one of DIMENSIONS, the greatest revenue first, days in their order.

    ``only`` keeps to values of the others. Raises DataError for dimensions and values that there are not.
    """
    if by not in DIMENSIONS:
        raise DataError(_("“by” is one of %(names)s.") % {"names": ", ".join(DIMENSIONS)})
    sums = _filtered(since, until, only or {}).values(by).annotate(**{f"sum_{name}": Sum(name) for name in SUMS})
    lines = [(row[by], {name: row[f"sum_{name}"] for name in SUMS}) for row in sums.order_by(by)]
    labels = _labels(by, [value for value, _ in lines])
    found = [Line(str(value), labels.get(value, str(value)), **own) for value, own in lines]
    return found if by == "day" else sorted(found, key=lambda line: (-line.revenue, -line.impressions, line.label))


def totals(since: date, until: date) -> Totals:
    names = ("orders", "revenue", "touched_orders", "touched_value")
    sums = DailyTotal.objects.filter(day__gte=since, day__lte=until).aggregate(
        **{f"sum_{name}": Sum(name) for name in names}
    )
    orders, revenue, touched_orders, touched_value = (sums[f"sum_{name}"] or 0 for name in names)
    return Totals(orders, Decimal(revenue), touched_orders, Decimal(touched_value))


def exposure(since: date, until: date) -> dict[str, list[tuple[str, int, float]]]:
    """How impressions spread over ``category``, ``brand``, ``price`` (the lower end of a band) and ``newness``:
    (value, impressions, share), the greatest first; ``gini``: the mean of the days' figures as the last number."""
    rows = DailyExposure.objects.filter(day__gte=since, day__lte=until).order_by()
    found: dict[str, list[tuple[str, int, float]]] = {}
    counted = rows.exclude(dimension="gini").values_list("dimension", "value").annotate(many=Sum("impressions"))
    for dimension, value, many in sorted(counted, key=lambda row: -row[2]):
        found.setdefault(dimension, []).append((value, many, 0.0))
    for dimension, values in found.items():
        whole = sum(many for _, many, _ in values)
        found[dimension] = [(value, many, many / whole if whole else 0.0) for value, many, _ in values]
    days = list(rows.filter(dimension="gini").values_list("impressions", flat=True))
    if days:
        found["gini"] = [("", len(days), sum(days) / len(days) / 10_000)]
    return found


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """The ends of the 95 % interval of a share."""
    share, square = hits / trials, Z**2
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    half = Z * sqrt(share * (1 - share) / trials + square / (4 * trials**2)) / (1 + square / trials)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def latest(days: int, today: date) -> tuple[date, date]:
    """The last so many days, today included."""
    return today - timedelta(days=days - 1), today


def _filtered(since: date, until: date, only: Mapping[str, str]) -> QuerySet[DailyFigure]:
    wanted = Q(day__gte=since, day__lte=until)
    for name, value in only.items():
        if name not in DIMENSIONS or name == "day":
            raise DataError(_("“%(name)s” is no property that a report keeps to.") % {"name": name})
        if name in ("segment", "release") and not (value.isascii() and value.isdigit() and len(value) < 19):
            raise DataError(_("“%(name)s” is a whole number.") % {"name": name})
        wanted &= Q(**{name: value})
    return DailyFigure.objects.filter(wanted)


def _labels(by: str, values: list[Any]) -> dict[Any, str]:
    """What people call the values, where that is not how they are stored."""
    if by == "segment":
        segments = Segment.objects.filter(pk__in=values).defer("profile", "centre")
        return {0: _("none"), **{segment.pk: str(segment) for segment in segments}}
    if by == "release":
        return {0: _("none"), **{release.pk: str(release) for release in Release.objects.filter(pk__in=values)}}
    if by == "arm":
        arms = Arm.objects.filter(pk__in=[int(value) for value in values if value.isdigit()])
        named = {str(arm.pk): f"{arm.experiment}: {arm.name}" for arm in arms.select_related("experiment")}
        return {"": _("no experiment"), **named}
    if by == "slot":
        return {"": _("no slot")}
    return {}
