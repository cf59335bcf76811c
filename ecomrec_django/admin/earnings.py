"""What offers earned: one page of figures, with its charts and its file."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..api.reports import csv_response
from ..insights.daily import BANDS
from ..insights.earnings import DIMENSIONS, Line, Totals, exposure, latest, report, totals
from ..models import DailyFigure, Experiment, Impression
from .base import ReadOnlyAdmin, strategy_label
from .charts import CHART_MEDIA, Cell, Chart, Column, Row

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
# Rows of each property that are listed.
LISTED = 12


@admin.register(DailyFigure)
class EarningsAdmin(ReadOnlyAdmin):
    """Registered for the rows of days, of which it shows sums alone."""

    def get_urls(self) -> list[URLPattern]:
        download = path("csv/", self.admin_site.admin_view(self.csv_view), name="ecomrec_dailyfigure_csv")
        return [download, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """What offers earned in a period, by one property."""
        days, by = self._asked(request)
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
            "spread": _spread(exposure(since, until)),
            "incremental": _incremental(),
            "hint": None if daily else _hint(),
            "media": self.media + CHART_MEDIA,
        }
        return self.page(request, "admin/ecomrec/dailyfigure/earnings.html", context)

    def csv_view(self, request: HttpRequest) -> HttpResponse:
        """The same lines as a file."""
        days, by = self._asked(request)
        since, until = latest(days, timezone.localdate())
        lines = [_labelled(line, by) for line in report(since, until, by)]
        return csv_response(lines, f"{by}-{since}-{until}.csv")

    def _asked(self, request: HttpRequest) -> tuple[int, str]:
        if not self.has_view_permission(request):
            raise PermissionDenied
        days, by = request.GET.get("days", ""), request.GET.get("by", "")
        return (int(days) if days in map(str, PERIODS) else 28), (by if by in DIMENSIONS else DIMENSIONS[0])


def _labelled(line: Line, by: str) -> Line:
    return replace(line, label=strategy_label(line.value)) if by == "strategy" else line


def _cards(daily: list[Line], shop: Totals) -> list[tuple[Any, str, Any]]:
    """The figures of the whole period: what they are called, what they are, and what they mean."""
    revenue, shown = sum(line.revenue for line in daily), sum(line.impressions for line in daily)
    clicks = sum(line.clicks for line in daily)
    share = 100 * revenue / shop.revenue if shop.revenue > 0 else None
    return [
        (_("Seen"), number_format(shown, 0, force_grouping=True), _("Offers that came into view.")),
        (_("Clicked"), percent(clicks / shown if shown else None), _("Of the offers seen.")),
        (_("Orders with offers"), number_format(shop.touched_orders, 0, force_grouping=True), _("Each order once.")),
        (_("Attributed revenue"), money(revenue), _("Of what was bought after its offer was clicked or seen.")),
        (_("Share of all revenue"), "–" if share is None else f"{number_format(share, 1)} %", _("Attributed, of all.")),
        (
            _("Mean order"),
            f"{money(shop.average_with)} / {money(shop.average_without)}",
            _("With offers in it, and without. Who buys more also sees more offers: this is no effect."),
        ),
    ]


def earnings_table(lines: list[Line], label: Any) -> Chart:
    """One row for each value."""
    columns = [
        Column(str(label).capitalize()),
        Column(gettext("Seen")),
        Column(gettext("Clicks")),
        Column(gettext("Clicked"), note=gettext("With its interval, which holds the true share in 95 of 100 cases.")),
        Column(gettext("In cart")),
        Column(gettext("Orders")),
        Column(gettext("Attributed revenue")),
        Column(gettext("Margin")),
        Column(gettext("Mean order")),
    ]
    rows = []
    for line in lines:
        interval = line.ctr_interval
        clicked = percent(line.ctr) if interval is None else f"{percent(line.ctr)} ({_span(interval)})"
        counts = (line.impressions, line.clicks)
        rows.append(
            Row(
                line.label,
                [
                    *(Cell(number_format(count, 0, force_grouping=True)) for count in counts),
                    Cell(clicked),
                    *(Cell(number_format(count, 0, force_grouping=True)) for count in (line.cart_adds, line.orders)),
                    *(Cell(money(amount)) for amount in (line.revenue, line.margin, line.average_order)),
                ],
            )
        )
    return Chart("table", gettext("What offers earned"), columns, rows)


def day_charts(daily: list[Line]) -> list[Chart]:
    """Attributed revenue and the share of offers clicked, day by day."""

    def lines(caption: str, series: str, value: Any, text: Any) -> Chart:
        rows = [
            Row(_day(line), [Cell(text(value(line)), None if value(line) is None else float(value(line)))])
            for line in daily
        ]
        return Chart("lines", caption, [Column(gettext("Day")), Column(series, drawn=True)], rows)

    return [
        lines(gettext("Attributed revenue by day"), gettext("Attributed revenue"), lambda line: line.revenue, money),
        lines(gettext("Clicks of offers seen, by day"), gettext("Clicked"), lambda line: line.ctr, percent),
    ]


def _day(line: Line) -> str:
    return date_format(date.fromisoformat(line.value), "SHORT_DATE_FORMAT")


def _spread(found: dict[str, list[tuple[str, int, float]]]) -> list[tuple[Any, list[tuple[str, str, int]]]]:
    """How impressions spread: (property, [(value, share in words, percent)]), and the evenness of items last."""
    said = []
    for name, label in SPREAD.items():
        if name in found:
            rows = [(_value(name, value), percent(share), round(100 * share)) for value, _many, share in found[name]]
            said.append((label, rows[:LISTED]))
    if "gini" in found:
        figure = found["gini"][0][2]
        row = (gettext("Gini, 0 even – 1 all on one"), number_format(figure, 2), round(100 * figure))
        said.append((_("Evenness over items"), [row]))
    return said


def _value(name: str, value: str) -> str:
    if name == "newness":
        return gettext("new within 30 days") if value == "new" else gettext("known for longer")
    if not value:
        return gettext("unknown")
    if name == "price":
        low = int(value)
        high = next((end for end in BANDS if end > low), None)
        return f"{low}–{high}" if high else f"≥ {low}"
    return value


def _incremental() -> list[Experiment]:
    """Experiments with a holdout, whose figures say what offers brought that would not have come without."""
    return [
        one
        for one in Experiment.objects.exclude(status=Experiment.Status.DRAFT)[:10]
        if one.results.get("incremental", {}).get("mean") is not None
    ]


def _hint() -> str:
    if Impression.objects.exists():
        return gettext("Offers were seen, and not counted yet: run “manage.py ecomrec_measure”, once an hour.")
    return gettext(
        "No offer was seen yet. Put {% ecomrec_scripts %} into your pages, so that they report what came into view; "
        "only shoppers who agreed are counted."
    )


def money(amount: Any) -> str:
    # What is not rounded would be cut.
    return "–" if amount is None else number_format(round(amount, 2), 2, force_grouping=True)


def percent(share: float | None) -> str:
    return "–" if share is None else f"{number_format(100 * share, 2)} %"


def _span(interval: tuple[float, float]) -> str:
    low, high = (number_format(100 * end, 2) for end in interval)
    return f"{low}–{high}"
