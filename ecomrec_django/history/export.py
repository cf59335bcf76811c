"""Incremental export of events to Parquet files, one folder per month, for training.

The files are derived and can be rebuilt at any time. Each export writes one file per month, named after the range of
event ids it covers, under a temporary name; the checkpoint, which holds the SHA-256 of each file, moves only when all
files are renamed. Files that the checkpoint does not name are leftovers of an interrupted export, which the next one
removes; a file that is missing or was changed makes the next export rebuild the history.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from hashlib import file_digest
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


@dataclass(frozen=True)
class ExportPosition:
    """How far the export has come.

    event: the last exported Event.pk
    rows: events in the files
    files: SHA-256 of each file, by its path within the history's folder
    """

    event: int = 0
    rows: int = 0
    files: dict[str, str] = field(default_factory=dict)

    def matches(self, path: Path) -> bool:
        """Whether a file that exists is as it was written."""
        return self.files.get(history_name(path)) == digest_of(path)


def export_history(progress: Progress = no_progress) -> HistoryReport:
    """Export the events since the last export; rebuild everything if files, checkpoint and table disagree."""
    Checkpoint.objects.get_or_create(name=CHECKPOINT)
    position = export_position()
    remove_leftovers(position)
    if reason := _inconsistency(position):
        logger.warning("Rebuilding the history: %s.", reason)
        return rebuild_history(progress, reason)
    new_rows = _append(position, progress)
    return HistoryReport(new_rows, position.rows + new_rows)


def rebuild_history(progress: Progress = no_progress, reason: str = "requested") -> HistoryReport:
    """Rewrite all files from the Event table."""
    Checkpoint.objects.update_or_create(name=CHECKPOINT, defaults={"position": {}})
    Checkpoint.objects.filter(name=STALE).delete()
    if history_folder().exists():
        shutil.rmtree(history_folder())
    rows = _append(ExportPosition(), progress)
    return HistoryReport(rows, rows, reason)


def last_exported_event() -> int:
    """The last Event.pk that the history covers; 0 if none."""
    return export_position().event


def mark_stale(events: QuerySet[Event]) -> None:
    """Call this before changing ``events``: if the files contain any of them, the next export rebuilds all files."""
    if events.filter(pk__lte=last_exported_event()).exists():
        Checkpoint.objects.get_or_create(name=STALE)


def export_position() -> ExportPosition:
    """Where the last export ended."""
    position = Checkpoint.objects.filter(name=CHECKPOINT).values_list("position", flat=True).first() or {}
    return ExportPosition(**position)


def history_name(path: Path) -> str:
    """The path of a file within the history's folder, such as ``2017-03/1-500.parquet``."""
    return path.relative_to(history_folder()).as_posix()


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def remove_leftovers(position: ExportPosition) -> None:
    """Delete the files that an interrupted export left behind."""
    for path in history_folder().glob("*/*"):
        if history_name(path) not in position.files:
            path.unlink()


def _inconsistency(position: ExportPosition) -> str:
    """Why the files have to be rebuilt; empty if events can be appended."""
    if Checkpoint.objects.filter(name=STALE).exists():
        return "exported events have changed since"
    for name in sorted(position.files):
        try:
            if not position.matches(history_folder() / name):
                return f"{name} was changed since it was written"
        except FileNotFoundError:
            return f"{name} is missing"
        except OSError as error:
            return f"{name} cannot be read ({error})"
    # Fewer if events were erased; more if a transaction that began before the last export ended after it.
    if (stored := Event.objects.filter(pk__lte=position.event).count()) != position.rows:
        return f"the database has {stored} of the {position.rows} exported events"
    return ""


@gc_paused()
def _append(position: ExportPosition, progress: Progress) -> int:
    """Export the events after ``position``, and move the checkpoint to their end."""
    import pyarrow.parquet as pq

    last = position.event
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
    files = dict(position.files)
    for path, _ in writers.values():
        written = path.rename(path.with_suffix(""))
        files[history_name(written)] = digest_of(written)
    move_checkpoint(ExportPosition(end, position.rows + done, files))
    return done


def move_checkpoint(position: ExportPosition) -> None:
    """Store ``position``."""
    Checkpoint.objects.filter(name=CHECKPOINT).update(position=asdict(position), updated=timezone.now())


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
