"""Charts that are drawn from a table on the same page, so that the figures are readable without them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.forms import Media
from django.forms.widgets import Script

# Loaded only by pages with charts.
_SCRIPTS: list[Any] = [Script(f"ecomrec/admin/{name}", defer=True) for name in ("vendor/chart.umd.min.js", "charts.js")]
CHART_MEDIA = Media(js=_SCRIPTS)


@dataclass(frozen=True)
class Cell:
    """A figure: its text, and the drawn value with its interval. None is not drawn."""

    text: str
    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Column:
    """The heading of a column; ``drawn`` columns are the series of the chart."""

    title: str
    drawn: bool = False
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One row of a table.

    title, cells: as shown
    short: label at the axis, if the title is too long
    link: name of a page and its row
    """

    title: str
    cells: Sequence[Cell]
    short: str = ""
    link: tuple[str, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A table and how ``charts.js`` draws it; see admin/ecomrec/figure.html.

    kind: "bars" are horizontal, one per row and series; "ratios" are bars from 1 on a logarithmic axis; "lines" run
        through the rows from left to right, with intervals; "map" places each row at the values of its two drawn
        columns, coloured by the text of its first cell; "table" is not drawn
    most: number of rows drawn, from the first; 0 for all
    """

    kind: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    most: int = 0


def number(value: Any) -> float | None:
    """``value`` if it is a finite number, else None: it may come from JSON of another version."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def mapping(value: Any) -> dict[str, Any]:
    """``value`` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def ratio(part: Any, whole: Any) -> float | None:
    """``part`` divided by ``whole``; None if that is meaningless."""
    part, whole = number(part), number(whole)
    if part is None or whole is None or part < 0 or whole <= 0:
        return None
    return part / whole
