"""Reports for staff about the earnings of offers."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from ..errors import DataError
from ..insights.csv_export import COLUMNS, UNCACHED, cells, csv_response, round_money
from ..insights.earnings import DIMENSIONS, latest, period, report, totals
from .base import StaffView
from .permissions import MayViewFigures
from .serializers import StrictSerializer


class ReportQuerySerializer(StrictSerializer):
    """``?by=strategy&since=2026-06-01&until=2026-06-30``, by default the last 28 days, and filters."""

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
    """One line of a report."""

    value = serializers.CharField(help_text=_("The value that the line sums up."))
    label = serializers.CharField(help_text=_("Display name of the value."))  # type: ignore[assignment]
    impressions = serializers.IntegerField()
    clicks = serializers.IntegerField()
    ctr = serializers.FloatField(allow_null=True)
    cart_adds = serializers.IntegerField()
    orders = serializers.IntegerField()
    attributed_revenue = serializers.FloatField()
    attributed_margin = serializers.FloatField()
    average_order = serializers.FloatField(allow_null=True)


class EarningsShopSerializer(serializers.Serializer):
    """All orders of the shop in the same period."""

    orders = serializers.IntegerField()
    revenue = serializers.FloatField()
    average_order_with_offers = serializers.FloatField(allow_null=True)
    average_order_without = serializers.FloatField(allow_null=True)


class EarningsSerializer(serializers.Serializer):
    """A report: its lines, and the shop as a whole."""

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
        """The report as JSON or as a CSV file."""
        serializer = ReportQuerySerializer(data=request.query_params.dict())
        serializer.is_valid(raise_exception=True)
        query = serializer.validated_data
        first, last = latest(28, timezone.localdate())
        filters = {name: query[name] for name in DIMENSIONS if name in query}
        try:
            since, until = period(query.get("since", first), query.get("until", last))
            lines = report(since, until, query["by"], filters)
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
                    "average_order_with_offers": round_money(shop.average_with),
                    "average_order_without": round_money(shop.average_without),
                },
            },
            headers={"Cache-Control": UNCACHED},
        )
