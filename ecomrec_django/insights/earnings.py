"""Reports about the earnings of offers, added up from daily figures."""

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
from ..learning.evaluation.bootstrap import Z
from ..models import Arm, DailyExposure, DailyFigure, DailyTotal, Release, Segment

DIMENSIONS = ("strategy", "slot", "arm", "segment", "release", "day")
SUMS = ("impressions", "clicks", "cart_adds", "orders", "revenue", "margin", "order_value")
# Longer reports would take too long.
MOST_DAYS = 731
ZERO = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class EarningsLine:
    """One line of a report.

    value, label: the value of the dimension, and its display name
    impressions: offers of which half was visible for a second
    clicks, cart_adds, orders: clicked offers, and attributed cart additions and orders
    revenue, margin: attributed to offers, whether or not shoppers would have bought without them
    order_value: total value of the orders
    """

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
        """Clicks per impression."""
        return self.clicks / self.impressions if self.impressions else None

    @property
    def ctr_interval(self) -> tuple[float, float] | None:
        """The 95 % interval of `ctr` (E. B. Wilson 1927)."""
        return wilson(self.clicks, self.impressions) if self.impressions else None

    @property
    def average_order(self) -> Decimal | None:
        """Mean total value of orders with an attributed purchase."""
        return self.order_value / self.orders if self.orders else None


@dataclass(frozen=True)
class EarningsTotals:
    """All orders of the shop in the same period; ``touched_…``: those with an attributed purchase."""

    orders: int = 0
    revenue: Decimal = ZERO
    touched_orders: int = 0
    touched_value: Decimal = ZERO

    @property
    def average_with(self) -> Decimal | None:
        """Mean value of orders with an attributed purchase."""
        return self.touched_value / self.touched_orders if self.touched_orders else None

    @property
    def average_without(self) -> Decimal | None:
        """Mean value of the other orders."""
        orders = self.orders - self.touched_orders
        return (self.revenue - self.touched_value) / orders if orders > 0 else None


def period(since: date, until: date) -> tuple[date, date]:
    """The first and last day of a report, both included. Raises DataError for an invalid period."""
    if until < since:
        raise DataError(
            _("The last day, %(until)s, is before the first day, %(since)s.") % {"until": until, "since": since}
        )
    if (until - since).days >= MOST_DAYS:
        raise DataError(_("A report can cover at most %(days)s days.") % {"days": MOST_DAYS})
    return since, until


def report(since: date, until: date, by: str, only: Mapping[str, str] | None = None) -> list[EarningsLine]:
    """Earnings by one of DIMENSIONS, highest revenue first, days in chronological order.

    only: filters by other dimensions.
    Raises DataError for an unknown dimension or value.
    """
    if by not in DIMENSIONS:
        raise DataError(_("“by” must be one of: %(names)s.") % {"names": ", ".join(DIMENSIONS)})
    sums = _filtered(since, until, only or {}).values(by).annotate(**{f"sum_{name}": Sum(name) for name in SUMS})
    lines = [(row[by], {name: row[f"sum_{name}"] for name in SUMS}) for row in sums.order_by(by)]
    labels = _labels(by, [value for value, _ in lines])
    report_lines = [
        EarningsLine(value=str(value), label=labels.get(value, str(value)), **figures) for value, figures in lines
    ]
    if by == "day":
        return report_lines
    return sorted(report_lines, key=lambda line: (-line.revenue, -line.impressions, line.label))


def totals(since: date, until: date) -> EarningsTotals:
    """The sums of the days from ``since`` to ``until``, both included."""
    names = ("orders", "revenue", "touched_orders", "touched_value")
    sums = DailyTotal.objects.filter(day__gte=since, day__lte=until).aggregate(
        **{f"sum_{name}": Sum(name) for name in names}
    )
    orders, revenue, touched_orders, touched_value = (sums[f"sum_{name}"] or 0 for name in names)
    return EarningsTotals(orders, Decimal(revenue), touched_orders, Decimal(touched_value))


def exposure(since: date, until: date) -> dict[str, list[tuple[str, int, float]]]:
    """(value, impressions, share) by dimension, largest first: ``category``, ``brand``, ``price`` and ``newness``.

    The value of ``price`` is the lower bound of a band. ``gini`` has the mean of the daily coefficients as its share.
    """
    rows = DailyExposure.objects.filter(day__gte=since, day__lte=until).order_by()
    shares: dict[str, list[tuple[str, int, float]]] = {}
    counts = rows.exclude(dimension="gini").values_list("dimension", "value").annotate(sum=Sum("impressions"))
    for dimension, value, count in sorted(counts, key=lambda row: -row[2]):
        shares.setdefault(dimension, []).append((value, count, 0.0))
    for dimension, values in shares.items():
        total = sum(count for _, count, _ in values)
        shares[dimension] = [(value, count, count / total if total else 0.0) for value, count, _ in values]
    coefficients = list(rows.filter(dimension="gini").values_list("impressions", flat=True))
    if coefficients:
        shares["gini"] = [("", len(coefficients), sum(coefficients) / len(coefficients) / 10_000)]
    return shares


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a share, as E. B. Wilson 1927."""
    share, square = hits / trials, Z**2
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    half = Z * sqrt(share * (1 - share) / trials + square / (4 * trials**2)) / (1 + square / trials)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def latest(days: int, today: date) -> tuple[date, date]:
    """The first and last of the latest ``days`` days, including today."""
    return today - timedelta(days=days - 1), today


def _filtered(since: date, until: date, only: Mapping[str, str]) -> QuerySet[DailyFigure]:
    condition = Q(day__gte=since, day__lte=until)
    for name, value in only.items():
        if name not in DIMENSIONS or name == "day":
            raise DataError(_("A report cannot be filtered by “%(name)s”.") % {"name": name})
        if name in ("segment", "release") and not (value.isascii() and value.isdigit() and len(value) < 19):
            raise DataError(_("“%(name)s” must be a whole number.") % {"name": name})
        condition &= Q(**{name: value})
    return DailyFigure.objects.filter(condition)


def _labels(by: str, values: list[Any]) -> dict[Any, str]:
    """Display names of values, if they differ from the values themselves."""
    if by == "segment":
        segments = Segment.objects.filter(pk__in=values).defer("profile", "centre")
        return {0: _("none"), **{segment.pk: str(segment) for segment in segments}}
    if by == "release":
        return {0: _("none"), **{release.pk: str(release) for release in Release.objects.filter(pk__in=values)}}
    if by == "arm":
        arms = Arm.objects.filter(pk__in=[int(value) for value in values if value.isdigit()])
        labels = {str(arm.pk): f"{arm.experiment}: {arm.name}" for arm in arms.select_related("experiment")}
        return {"": _("no experiment"), **labels}
    if by == "slot":
        return {"": _("no slot")}
    return {}
