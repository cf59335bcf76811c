"""Incremental export of events to Parquet files, one folder per month, for training.

The files are derived and can be rebuilt at any time. Each export writes one file per month, named after the range of
event ids it covers, under a temporary name; the checkpoint moves only when all files are renamed. Files beyond the
checkpoint are leftovers of an interrupted export, which the next one removes.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import connections, router
from django.db.models import Max, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from ..artifacts import history_folder
from ..db import Double, TimeText, gc_paused
from ..learning.interactions import HISTORY, schema
from ..learning.progress import Progress, no_progress
from ..models import Checkpoint, Event

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)

CHECKPOINT = "history"
# This checkpoint exists while exported events have changed since their export.
STALE = "history changed"
CHUNK_EVENTS = 100_000
_NAME = re.compile(r"(\d+)-(\d+)\.parquet")


@dataclass(frozen=True)
class HistoryReport:
    """Result of an export.

    rows: events new in this export
    total: events in the whole history
    rebuilt: why the history was rebuilt; empty if it was not rebuilt
    """

    rows: int
    total: int
    rebuilt: str = ""


def export_history(progress: Progress = no_progress) -> HistoryReport:
    """Export the events since the last export; rebuild everything if files, checkpoint and table disagree."""
    Checkpoint.objects.get_or_create(name=CHECKPOINT)
    last, rows = export_position()
    remove_leftovers(last)
    if reason := _inconsistency(last, rows):
        logger.warning("Rebuilding the history: %s.", reason)
        return rebuild_history(progress, reason)
    new_rows = _append(last, rows, progress)
    return HistoryReport(new_rows, rows + new_rows)


def rebuild_history(progress: Progress = no_progress, reason: str = "requested") -> HistoryReport:
    """Rewrite all files from the Event table."""
    Checkpoint.objects.update_or_create(name=CHECKPOINT, defaults={"position": {}})
    Checkpoint.objects.filter(name=STALE).delete()
    if history_folder().exists():
        shutil.rmtree(history_folder())
    rows = _append(0, 0, progress)
    return HistoryReport(rows, rows, reason)


def last_exported_event() -> int:
    """The last Event.pk that the history covers; 0 if none."""
    return export_position()[0]


def mark_stale(events: QuerySet[Event]) -> None:
    """Call this before changing ``events``: if the files contain any of them, the next export rebuilds all files."""
    if events.filter(pk__lte=last_exported_event()).exists():
        Checkpoint.objects.get_or_create(name=STALE)


def export_position() -> tuple[int, int]:
    """The last exported Event.pk, and the number of rows in the files."""
    position = Checkpoint.objects.filter(name=CHECKPOINT).values_list("position", flat=True).first() or {}
    return position.get("event", 0), position.get("rows", 0)


def remove_leftovers(last: int) -> None:
    """Delete what an interrupted export left behind: temporary files, and those beyond event ``last``."""
    for path in history_folder().glob("*/*"):
        name = _NAME.fullmatch(path.name)
        if name is None or int(name[2]) > last:
            path.unlink()


def _inconsistency(last: int, rows: int) -> str:
    """Why the files have to be rebuilt; empty if events can be appended."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if Checkpoint.objects.filter(name=STALE).exists():
        return "exported events have changed since"
    try:
        written = sum(pq.read_metadata(path).num_rows for path in history_folder().glob("*/*.parquet"))
    except (OSError, pa.ArrowInvalid) as error:
        return f"a file cannot be read ({error})"
    if written != rows:
        return f"its files hold {written} events, its checkpoint {rows}"
    # Fewer if events were erased; more if a transaction that began before the last export ended after it.
    if (stored := Event.objects.filter(pk__lte=last).count()) != rows:
        return f"the database has {stored} of the {rows} exported events"
    return ""


@gc_paused()
def _append(last: int, rows: int, progress: Progress) -> int:
    """Export the events after ``last``, and move the checkpoint there."""
    import pyarrow.parquet as pq

    end = Event.objects.aggregate(last=Max("pk"))["last"] or 0
    if end <= last:
        return 0
    name = f"{last + 1}-{end}.parquet"
    done = 0
    writers: dict[str, tuple[Path, Any]] = {}
    try:
        for table in _tables(last, end):
            for month, part in _by_month(table):
                if month not in writers:
                    (history_folder() / month).mkdir(parents=True, exist_ok=True)
                    path = history_folder() / month / f"{name}.part"
                    writers[month] = path, pq.ParquetWriter(path, table.schema, compression="zstd")
                writers[month][1].write_table(part)
            done += table.num_rows
            progress(done, max(done, end - last))
    finally:
        for _, writer in writers.values():
            writer.close()
    for path, _ in writers.values():
        path.rename(path.with_suffix(""))
    move_checkpoint(end, rows + done)
    return done


def move_checkpoint(last: int, rows: int) -> None:
    """Store the position of the export: the last exported Event.pk and the rows in the files."""
    position = {"event": last, "rows": rows}
    Checkpoint.objects.filter(name=CHECKPOINT).update(position=position, updated=timezone.now())


def _tables(last: int, end: int) -> Iterator[pa.Table]:
    """The events of ids (last, end] as Arrow tables with columns HISTORY, one chunk each."""
    import pyarrow as pa

    zone = connections[router.db_for_read(Event)].timezone_name
    rows = (
        Event.objects.filter(pk__lte=end)
        .order_by("pk")
        .values_list(
            "pk",
            Coalesce("visitor_id", 0),
            "item_id",
            "kind",
            Double("quantity"),
            Double("price"),
            "rating",
            TimeText("time"),
            "basket",
            "session",
            "component",
        )
    )
    types = schema(HISTORY)
    while columns := list(zip(*rows.filter(pk__gt=last)[:CHUNK_EVENTS], strict=True)):
        last = columns[0][-1]
        arrays = [
            _times(values, zone) if field.name == "time" else pa.array(values, field.type)
            for values, field in zip(columns, types, strict=True)
        ]
        yield pa.Table.from_arrays(arrays, schema=types)


def _times(values: tuple[str, ...], zone: str) -> pa.Array:
    """UTC timestamps of texts such as "2017-03-01 12:00:00.5" in the connection's time zone."""
    import pyarrow as pa
    import pyarrow.compute as pc

    times = pa.array(values, pa.string()).cast(pa.timestamp("us"))
    local = pc.assume_timezone(times, zone, ambiguous="earliest", nonexistent="latest")
    return local.cast(pa.timestamp("us", tz="UTC"))


def _by_month(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    import numpy as np
    import pyarrow.compute as pc

    times = table["time"].combine_chunks()
    months = np.asarray(pc.year(times)) * 100 + np.asarray(pc.month(times))
    for month in np.unique(months):
        yield f"{month // 100:04d}-{month % 100:02d}", table.filter(months == month)
