"""The earnings page: figures, charts and a CSV file."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..insights.csv_export import csv_response
from ..insights.daily_figures import BANDS
from ..insights.earnings import DIMENSIONS, EarningsLine, EarningsTotals, exposure, latest, report, totals
from ..models import DailyFigure, Experiment, Impression
from .base import ReadOnlyAdmin, strategy_label
from .components.charts import CHART_MEDIA, Cell, Chart, Column, Row
from .components.figures import format_number, money, percent, percent_span
from .components.incremental import incremental_sentence

PERIODS = (7, 28, 90, 365)
LABELS = {
    "strategy": _("strategy"),
    "slot": _("slot"),
    "arm": _("arm"),
    "segment": _("segment"),
    "release": _("release"),
    "day": _("day"),
}
SPREAD = {"category": _("Category"), "brand": _("Brand"), "price": _("Price"), "newness": _("Newness")}
# Rows listed per dimension.
LISTED = 12


@admin.register(DailyFigure)
class EarningsAdmin(ReadOnlyAdmin):
    """Registered for daily figures, of which it shows sums."""

    def get_urls(self) -> list[URLPattern]:
        """The stock pages, preceded by additional ones."""
        download = path("csv/", self.admin_site.admin_view(self.csv_view), name="ecomrec_dailyfigure_csv")
        return [download, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Earnings in a period, by one dimension."""
        days, by = self._query(request)
        since, until = latest(days, timezone.localdate())
        lines = [_labelled(line, by) for line in report(since, until, by)]
        daily = [_labelled(line, "day") for line in (lines if by == "day" else report(since, until, "day"))]
        shop = totals(since, until)
        context = {
            "title": gettext("Earnings"),
            "days": days,
            "periods": PERIODS,
            "by": by,
            "dimensions": [(name, LABELS[name]) for name in DIMENSIONS],
            "since": since,
            "until": until,
            "cards": _cards(daily, shop),
            "table": earnings_table(lines, LABELS[by]),
            "charts": day_charts(daily) if len(daily) > 1 else [],
            "spread": _exposure_tables(exposure(since, until)),
            "incremental": _incremental(),
            "hint": None if daily else _hint(),
            "media": self.media + CHART_MEDIA,
        }
        return self.page(request, "admin/ecomrec/dailyfigure/earnings.html", context)

    def csv_view(self, request: HttpRequest) -> HttpResponse:
        """The same lines as a file."""
        days, by = self._query(request)
        since, until = latest(days, timezone.localdate())
        lines = [_labelled(line, by) for line in report(since, until, by)]
        return csv_response(lines, f"{by}-{since}-{until}.csv")

    def _query(self, request: HttpRequest) -> tuple[int, str]:
        if not self.has_view_permission(request):
            raise PermissionDenied
        days, by = request.GET.get("days", ""), request.GET.get("by", "")
        return (int(days) if days in map(str, PERIODS) else 28), (by if by in DIMENSIONS else DIMENSIONS[0])


def _labelled(line: EarningsLine, by: str) -> EarningsLine:
    return replace(line, label=strategy_label(line.value)) if by == "strategy" else line


def _cards(daily: list[EarningsLine], shop: EarningsTotals) -> list[tuple[Any, str, Any]]:
    """The figures of the whole period: label, value and explanation."""
    revenue, shown = sum(line.revenue for line in daily), sum(line.impressions for line in daily)
    clicks = sum(line.clicks for line in daily)
    share = revenue / shop.revenue if shop.revenue > 0 else None
    return [
        (_("Impressions"), format_number(shown), _("Offers that came into view.")),
        (_("Click rate"), percent(clicks / shown if shown else None), _("Clicks per impression.")),
        (
            _("Orders with offers"),
            format_number(shop.touched_orders),
            _("Each order is counted once."),
        ),
        (_("Attributed revenue"), money(revenue), _("From products bought after their offer was clicked or seen.")),
        (
            _("Share of total revenue"),
            percent(share, 1),
            _("Attributed revenue as a share of all revenue."),
        ),
        (
            _("Average order value"),
            f"{money(shop.average_with)} / {money(shop.average_without)}",
            _(
                "With and without offers. Shoppers who buy more also see more offers, so the difference is not "
                "caused by the offers."
            ),
        ),
    ]


def earnings_table(lines: list[EarningsLine], label: Any) -> Chart:
    """One row per value of the dimension."""
    columns = [
        Column(str(label).capitalize()),
        Column(gettext("Impressions")),
        Column(gettext("Clicks")),
        Column(gettext("Click rate"), note=gettext("With its 95 percent confidence interval.")),
        Column(gettext("Added to cart")),
        Column(gettext("Orders")),
        Column(gettext("Attributed revenue")),
        Column(gettext("Margin")),
        Column(gettext("Average order value")),
    ]
    rows = []
    for line in lines:
        interval = line.ctr_interval
        clicked = percent(line.ctr) if interval is None else f"{percent(line.ctr)} ({percent_span(*interval)})"
        counts = (line.impressions, line.clicks)
        rows.append(
            Row(
                line.label,
                [
                    *(Cell(format_number(count)) for count in counts),
                    Cell(clicked),
                    *(Cell(format_number(count)) for count in (line.cart_adds, line.orders)),
                    *(Cell(money(amount)) for amount in (line.revenue, line.margin, line.average_order)),
                ],
            )
        )
    return Chart(kind="table", caption=gettext("Earnings from offers"), columns=columns, rows=rows)


def day_charts(daily: list[EarningsLine]) -> list[Chart]:
    """Attributed revenue and click rate by day."""

    def lines(caption: str, series: str, value: Any, text: Any) -> Chart:
        rows = [
            Row(_day(line), [Cell(text(value(line)), None if value(line) is None else float(value(line)))])
            for line in daily
        ]
        return Chart(
            kind="lines", caption=caption, columns=[Column(gettext("Day")), Column(series, drawn=True)], rows=rows
        )

    return [
        lines(gettext("Attributed revenue by day"), gettext("Attributed revenue"), lambda line: line.revenue, money),
        lines(gettext("Click rate by day"), gettext("Click rate"), lambda line: line.ctr, percent),
    ]


def _day(line: EarningsLine) -> str:
    return date_format(date.fromisoformat(line.value), "SHORT_DATE_FORMAT")


def _exposure_tables(shares: dict[str, list[tuple[str, int, float]]]) -> list[tuple[Any, list[tuple[str, str, int]]]]:
    """Shares of impressions: (label, [(value, share as text, percent)]) by dimension, then the Gini coefficient."""
    tables = []
    for name, label in SPREAD.items():
        if name in shares:
            rows = [(_value(name, value), percent(share), round(100 * share)) for value, _count, share in shares[name]]
            tables.append((label, rows[:LISTED]))
    if "gini" in shares:
        figure = shares["gini"][0][2]
        row = (gettext("Gini (0: evenly spread, 1: all on one item)"), format_number(figure, 2), round(100 * figure))
        tables.append((_("Spread over items"), [row]))
    return tables


def _value(name: str, value: str) -> str:
    if name == "newness":
        return gettext("added in the last 30 days") if value == "new" else gettext("older")
    if not value:
        return gettext("unknown")
    if name == "price":
        low = int(value)
        high = next((end for end in BANDS if end > low), None)
        return f"{money(low)}–{money(high)}" if high else f"≥ {money(low)}"
    return value


def _incremental() -> list[tuple[Experiment, str]]:
    """Experiments with a holdout, and the incremental revenue that they measured."""
    experiments = Experiment.objects.exclude(status=Experiment.Status.DRAFT)[:10]
    sentences = [(experiment, incremental_sentence(experiment.results)) for experiment in experiments]
    return [(experiment, sentence) for experiment, sentence in sentences if sentence]


def _hint() -> str:
    if Impression.objects.exists():
        return gettext("Offers have been seen but not counted yet. Run “manage.py ecomrec_measure” once an hour.")
    return gettext(
        "No offers have been seen yet. Add {% ecomrec_scripts %} to your pages so that they report impressions; "
        "only shoppers who have given consent are counted."
    )
