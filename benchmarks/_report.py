"""What benchmarks print and write."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from . import Row


def machine() -> str:
    """The machine's load, without which a timing says little."""
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return f"{os.cpu_count()} CPUs, load average {load}"


def table(rows: Sequence[Row]) -> str:
    """Rows as aligned text, a column per metric in order of first appearance."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [columns, *([_cell(row.get(column, "")) for column in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def write(path: Path, name: str, rows: Sequence[Row]) -> None:
    path.write_text(json.dumps({"benchmark": name, "rows": list(rows)}, indent=1) + "\n", encoding="utf-8")


def _cell(value: str | int | float) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
