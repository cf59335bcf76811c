"""The earnings report as a CSV file that a spreadsheet opens without running anything."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from decimal import Decimal
from io import StringIO
from typing import Any

from django.http import HttpResponse

from .earnings import EarningsLine

COLUMNS = (
    *("value", "label", "impressions", "clicks", "ctr", "cart_adds", "orders"),
    *("attributed_revenue", "attributed_margin", "average_order"),
)
# A spreadsheet would run a cell that begins with one of these as a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
UNCACHED = "private, no-store"


def cells(line: EarningsLine) -> tuple[Any, ...]:
    """The values of COLUMNS for one line of the report."""
    return (
        *(line.value, line.label, line.impressions, line.clicks),
        None if line.ctr is None else round(line.ctr, 5),
        *(line.cart_adds, line.orders, line.revenue, line.margin, round_money(line.average_order)),
    )


def round_money(amount: Decimal | None) -> Decimal | None:
    """An amount with two decimals; None stays None."""
    return None if amount is None else round(amount, 2)


def csv_response(lines: Iterable[EarningsLine], name: str) -> HttpResponse:
    """The lines as a download called ``name``: UTF-8 with a byte order mark, as spreadsheets expect, never cached."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for line in lines:
        writer.writerow([escape_formula(cell) for cell in cells(line)])
    response = HttpResponse("\ufeff" + text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = UNCACHED
    return response


def escape_formula(cell: Any) -> Any:
    """A cell that a spreadsheet shows as text even if it looks like a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
