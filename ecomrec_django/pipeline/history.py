"""Event rows, copied once to Parquet files, a folder per month: what learners read.

The files are derived: they can be rebuilt at any time. Each export writes, per month, one file named after the range
of event ids it covers, under a temporary name; only when all are renamed does the checkpoint move. Files beyond the
checkpoint are leftovers of an export that was cut short, and are removed by the next one.

What is deleted from the table is taken out of the files by `remove_rows`, which touches only the files that hold it.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import connections, router
from django.db.models import Max, QuerySet
from django.utils import timezone

from ..conf import conf
from ..learning.interactions import HISTORY, schema
from ..models import Checkpoint, Event
from ..models.bulk import LOOKUP, chunks, collector_paused

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

logger = logging.getLogger(__name__)

CHECKPOINT = "history"
# Stands where exported events were changed since.
CHANGED = "history changed"
CHUNK = 100_000
_NAME = re.compile(r"(\d+)-(\d+)\.parquet")


@dataclass(frozen=True)
class HistoryReport:
    """``rows`` new in this export, ``total`` in the whole history; ``rebuilt``: why it was begun afresh, if it was."""

    rows: int
    total: int
    rebuilt: str = ""


def folder() -> Path:
    """Where the files are: ``<ARTIFACTS>/history/<year>-<month>/<first event>-<last event>.parquet``."""
    return conf.ARTIFACTS / "history"


def export_history(progress: Callable[[int, int], None] | None = None) -> HistoryReport:
    """Copy the events since the last export. Where files, checkpoint and table disagree, rebuild and say so."""
    Checkpoint.objects.get_or_create(name=CHECKPOINT)
    last, rows = _position()
    _sweep(last)
    if wrong := _disagreement(last, rows):
        logger.warning("The history is rebuilt: %s.", wrong)
        return rebuild_history(progress, wrong)
    new = _append(last, rows, progress)
    return HistoryReport(new, rows + new)


def rebuild_history(progress: Callable[[int, int], None] | None = None, reason: str = "asked for") -> HistoryReport:
    """Write all files afresh from the Event table."""
    Checkpoint.objects.update_or_create(name=CHECKPOINT, defaults={"position": {}})
    Checkpoint.objects.filter(name=CHANGED).delete()
    if folder().exists():
        shutil.rmtree(folder())
    rows = _append(0, 0, progress)
    return HistoryReport(rows, rows, reason)


def exported() -> int:
    """The last Event.pk that the history covers; 0 if none."""
    return _position()[0]


def changing(events: QuerySet[Event]) -> None:
    """``events`` are about to be changed: if the files hold any of them, the next export writes all files afresh."""
    if events.filter(pk__lte=exported()).exists():
        Checkpoint.objects.get_or_create(name=CHANGED)


def _position() -> tuple[int, int]:
    """The last event exported, and the rows in the files."""
    position = Checkpoint.objects.filter(name=CHECKPOINT).values_list("position", flat=True).first() or {}
    return position.get("event", 0), position.get("rows", 0)


def _sweep(last: int) -> None:
    for path in folder().glob("*/*"):
        name = _NAME.fullmatch(path.name)
        if name is None or int(name[2]) > last:
            path.unlink()


def _disagreement(last: int, rows: int) -> str:
    """Why the files cannot be added to; empty if they can."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if Checkpoint.objects.filter(name=CHANGED).exists():
        return "exported events were changed since"
    try:
        written = sum(pq.read_metadata(path).num_rows for path in folder().glob("*/*.parquet"))
    except (OSError, pa.ArrowInvalid) as error:
        return f"a file cannot be read ({error})"
    if written != rows:
        return f"its files hold {written} events, its checkpoint says {rows}"
    # Fewer: events were erased. More: a transaction that began before the last export ended after it.
    if (stored := Event.objects.filter(pk__lte=last).count()) != rows:
        return f"the database now has {stored} events where {rows} were exported"
    return ""


@collector_paused()
def _append(last: int, rows: int, progress: Callable[[int, int], None] | None) -> int:
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
                    (folder() / month).mkdir(parents=True, exist_ok=True)
                    path = folder() / month / f"{name}.part"
                    writers[month] = path, pq.ParquetWriter(path, table.schema, compression="zstd")
                writers[month][1].write_table(part)
            done += table.num_rows
            if progress:
                progress(done, max(done, end - last))
    finally:
        for _, writer in writers.values():
            writer.close()
    for path, _ in writers.values():
        path.rename(path.with_suffix(""))
    _move_to(end, rows + done)
    return done


def _move_to(last: int, rows: int) -> None:
    position = {"event": last, "rows": rows}
    Checkpoint.objects.filter(name=CHECKPOINT).update(position=position, updated=timezone.now())


def _tables(last: int, end: int) -> Iterator[pa.Table]:
    """The events of ids (last, end], as Arrow tables of columns HISTORY, a chunk at a time."""
    import pyarrow as pa

    connection = connections[router.db_for_read(Event)]
    # Numbers and times leave the database raw: a Decimal and a datetime per row would take most of the time.
    sql = (
        "SELECT id, COALESCE(visitor_id, 0), item_id, kind, quantity, price * 1e0, rating, "  # noqa: S608
        "CAST(time AS CHAR), basket, session "
        f"FROM {connection.ops.quote_name(Event._meta.db_table)} WHERE id > %s AND id <= %s "
        f"ORDER BY id LIMIT {CHUNK}"
    )
    types = schema(HISTORY)
    with connection.cursor() as cursor:
        while last < end:
            cursor.execute(sql, [last, end])
            columns: list[Any] = list(zip(*cursor.fetchall(), strict=True))
            if not columns:
                return
            last = columns[0][-1]
            arrays = [
                _times(values, connection.timezone_name) if field.name == "time" else pa.array(values, field.type)
                for values, field in zip(columns, types, strict=True)
            ]
            yield pa.Table.from_arrays(arrays, schema=types)


def _times(values: tuple[str, ...], zone: str) -> pa.Array:
    """Text such as "2017-03-01 12:00:00.5", in the connection's time zone, to UTC."""
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


# -- taking rows out ------------------------------------------------------------------------------------------------


def remove_rows(column: str, doomed: Callable[[np.ndarray], np.ndarray]) -> int:
    """Rewrite the files in which ``doomed`` marks some values of ``column``, without those rows; returns how many went.

    Their events have to be gone from the table already. The new files are renamed when all are written, then the
    checkpoint is moved: after a crash in between, the next export finds a disagreement and rebuilds. So it does where
    a file cannot be read, which is removed whole. To be called under the lock of `pipeline.lock`.
    """
    last, rows = _position()
    _sweep(last)
    done: list[tuple[Path, Path | None]] = []
    removed = 0
    for path in sorted(folder().glob("*/*.parquet")):
        mask = _marked(path, column, doomed)
        if mask.any():
            done.append((path, None if mask.all() else _rewritten(path, ~mask)))
            removed += int(mask.sum())
    for path, new in done:
        if new is None:
            path.unlink()
        else:
            new.rename(path)
    if removed:
        _move_to(last, rows - removed)
    return removed


def remove_deleted() -> int:
    """Take out the rows whose events the table no longer has, whosever they are; returns how many went."""
    last, rows = _position()
    if rows <= Event.objects.filter(pk__lte=last).count():
        return 0
    return remove_rows("event", _deleted)


def _deleted(events: np.ndarray) -> np.ndarray:
    import numpy as np

    kept: list[int] = []
    for some in chunks(events.tolist(), LOOKUP):
        kept += Event.objects.filter(pk__in=some).order_by().values_list("pk", flat=True)
    return ~np.isin(events, kept)


def _marked(path: Path, column: str, doomed: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Which rows of one file have to go."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        values = pq.ParquetFile(path).read([column])[column]
    except (OSError, pa.ArrowInvalid) as error:
        logger.warning("A file of the history cannot be read and is removed (%s): %s.", error, path)
        path.unlink()
        return np.zeros(0, bool)
    return doomed(values.to_numpy())


def _rewritten(path: Path, kept: np.ndarray) -> Path:
    """A file beside ``path`` with the rows ``kept`` of it, a chunk in memory at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    new = path.with_name(f"{path.name}.part")
    old = pq.ParquetFile(path)
    with pq.ParquetWriter(new, old.schema_arrow, compression="zstd") as writer:
        start = 0
        for batch in old.iter_batches(CHUNK):
            writer.write_batch(batch.filter(pa.array(kept[start : start + batch.num_rows])))
            start += batch.num_rows
    return new
