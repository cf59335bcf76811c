"""Charts that are drawn from a table on the same page, so that nobody needs the picture to read the figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.forms import Media
from django.forms.widgets import Script

# Only pages that draw load these.
_SCRIPTS: list[Any] = [Script(f"ecomrec/admin/{name}", defer=True) for name in ("vendor/chart.umd.min.js", "charts.js")]
CHART_MEDIA = Media(js=_SCRIPTS)


@dataclass(frozen=True)
class Cell:
    """A figure as it is read, and as it is drawn: its value with the ends of its interval. None is not drawn."""

    text: str
    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Column:
    """The heading of one column; of a chart, ``drawn`` ones are its series."""

    title: str
    drawn: bool = False
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One line of a table; ``short`` stands at the axis, where the title would not fit; ``link``: page and row."""

    title: str
    cells: Sequence[Cell]
    short: str = ""
    link: tuple[str, int] | None = None


@dataclass(frozen=True)
class Chart:
    """A table and how ``charts.js`` draws it; see admin/ecomrec/figure.html.

    ``kind``: "bars" lie, one per row and series · "ratios" are bars from 1 on an axis that doubles · "lines" run
    through the rows from left to right, with intervals · "map" puts each row at the values of its two drawn columns, in
    the colour of the text of its first cell.
    """

    kind: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    # Rows drawn, from the first; 0: all. The table has them all.
    most: int = 0


def number(value: Any) -> float | None:
    """``value`` if it is a finite number: figures come from JSON that an older or a newer version may have written."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def mapping(value: Any) -> dict[str, Any]:
    """``value`` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def ratio(part: Any, whole: Any) -> float | None:
    """How many times ``whole`` is ``part``; None where that means nothing."""
    part, whole = number(part), number(whole)
    if part is None or whole is None or part < 0 or whole <= 0:
        return None
    return part / whole
