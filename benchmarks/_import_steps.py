"""What `imports` measures, in the process and the database that it is called in."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from . import Row

if TYPE_CHECKING:
    from ecomrec_django.catalog.sync import SyncReport

START = 1_700_000_000
PEOPLE = 50_000


def orders() -> list[Row]:
    """Sync the shop's catalog, import all of its orders, and again with nothing changed."""
    from ecomrec_django.catalog.sync import sync
    from ecomrec_django.tracking.importers.orders import import_purchases

    return [
        _timed("catalog", lambda: _products(sync())),
        _timed("orders", lambda: import_purchases(everything=True).lines),
        _timed("orders:again", lambda: import_purchases(everything=True).lines),
    ]


def file(rows: int, folder: Path) -> list[Row]:
    """Import a file of views of the mirrored items, and again."""
    from ecomrec_django.models import Item
    from ecomrec_django.tracking.importers.files import import_events
    from ecomrec_django.tracking.importers.formats import open_file
    from ecomrec_django.tracking.importers.formats.spec import EVENTS

    items = list(Item.objects.filter(active=True).order_by("pk").values_list("external_id", flat=True))
    path = folder / "events.csv"
    with path.open("w") as lines:
        lines.write("event,visitor,item,time,session\n")
        for row in range(rows):
            visitor, item = row * 7919 % PEOPLE, items[row * row % len(items)]
            lines.write(f"view_item,v{visitor},{item},{START + row},s{visitor}\n")

    def load() -> int:
        table, format = open_file(path, EVENTS)
        return import_events(table, format, lambda *_: None).rows

    return [_timed("file", load), _timed("file:again", load)]


def _products(report: SyncReport) -> int:
    return report.created + report.updated + report.unchanged


def _timed(name: str, work: Callable[[], int]) -> Row:
    began, cpu = time.monotonic(), time.process_time()
    rows = work()
    seconds = time.monotonic() - began
    return {
        "name": f"ecomrec:{name}",
        "rows": rows,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "rows_per_second": round(rows / max(seconds, 1e-9)),
    }
