"""What offers earned, for staff."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from io import StringIO
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from ..errors import DataError
from ..insights.earnings import DIMENSIONS, Line, latest, period, report, totals
from .base import StaffView
from .permissions import MayViewFigures
from .serializers import StrictSerializer

COLUMNS = (
    *("value", "label", "impressions", "clicks", "ctr", "cart_adds", "orders"),
    *("attributed_revenue", "attributed_margin", "average_order"),
)
# With which a spreadsheet would begin a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
UNCACHED = "private, no-store"


class ReportQuerySerializer(StrictSerializer):
    """``?by=strategy&since=2026-06-01&until=2026-06-30``, by default the last 28 days, and what to keep to."""

    by = serializers.ChoiceField(choices=DIMENSIONS, default="strategy")
    since = serializers.DateField(required=False)
    until = serializers.DateField(required=False)
    form = serializers.ChoiceField(choices=("json", "csv"), default="json")
    strategy = serializers.CharField(required=False, max_length=32)
    slot = serializers.CharField(required=False, max_length=32)
    arm = serializers.CharField(required=False, max_length=32)
    segment = serializers.RegexField(r"^[0-9]+\Z", required=False, max_length=18)
    release = serializers.RegexField(r"^[0-9]+\Z", required=False, max_length=18)


class EarningsLineSerializer(serializers.Serializer):
    """COLUMNS."""

    value = serializers.CharField(help_text=_("What the line is of."))
    label = serializers.CharField(help_text=_("What people call it."))  # type: ignore[assignment]
    impressions = serializers.IntegerField()
    clicks = serializers.IntegerField()
    ctr = serializers.FloatField(allow_null=True)
    cart_adds = serializers.IntegerField()
    orders = serializers.IntegerField()
    attributed_revenue = serializers.FloatField()
    attributed_margin = serializers.FloatField()
    average_order = serializers.FloatField(allow_null=True)


class EarningsShopSerializer(serializers.Serializer):
    orders = serializers.IntegerField()
    revenue = serializers.FloatField()
    average_order_with_offers = serializers.FloatField(allow_null=True)
    average_order_without = serializers.FloatField(allow_null=True)


class EarningsSerializer(serializers.Serializer):
    by = serializers.ChoiceField(choices=DIMENSIONS)
    since = serializers.DateField()
    until = serializers.DateField()
    lines = EarningsLineSerializer(many=True)
    shop = EarningsShopSerializer()


class ReportView(StaffView):
    """Impressions, clicks, orders, attributed revenue and margin; as JSON, or with ``form=csv`` as a file."""

    permission_classes = [MayViewFigures]
    serializer_class = EarningsSerializer

    def get(self, request: Request) -> Any:
        asked = ReportQuerySerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        query = asked.validated_data
        first, last = latest(28, timezone.localdate())
        only = {name: query[name] for name in DIMENSIONS if name in query}
        try:
            since, until = period(query.get("since", first), query.get("until", last))
            lines = report(since, until, query["by"], only)
        except DataError as error:
            raise ValidationError({"detail": str(error)}) from error
        if query["form"] == "csv":
            return csv_response(lines, f"{query['by']}-{since}-{until}.csv")
        shop = totals(since, until)
        return Response(
            {
                "by": query["by"],
                "since": since,
                "until": until,
                "lines": [dict(zip(COLUMNS, cells(line), strict=True)) for line in lines],
                "shop": {
                    "orders": shop.orders,
                    "revenue": shop.revenue,
                    "average_order_with_offers": rounded(shop.average_with),
                    "average_order_without": rounded(shop.average_without),
                },
            },
            headers={"Cache-Control": UNCACHED},
        )


def cells(line: Line) -> tuple[Any, ...]:
    """The values of COLUMNS."""
    return (
        *(line.value, line.label, line.impressions, line.clicks),
        None if line.ctr is None else round(line.ctr, 5),
        *(line.cart_adds, line.orders, line.revenue, line.margin, rounded(line.average_order)),
    )


def rounded(amount: Any) -> Any:
    return None if amount is None else round(amount, 2)


def csv_response(lines: Iterable[Line], name: str) -> HttpResponse:
    """A file that a spreadsheet opens without running anything."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for line in lines:
        writer.writerow([harmless(cell) for cell in cells(line)])
    response = HttpResponse("\ufeff" + text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = UNCACHED
    return response


def harmless(cell: Any) -> Any:
    """Text that would be a formula, as text."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
