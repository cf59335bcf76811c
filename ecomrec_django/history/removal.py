"""Removal of rows from the history files; only files that contain such rows are rewritten.

Both functions must be called under the lock `ecomrec_django.locks.exclusive`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..artifacts import history_folder
from ..db import MAX_LOOKUP_IDS, chunks
from ..models import Event
from .export import (
    CHUNK_EVENTS,
    ExportPosition,
    digest_of,
    export_position,
    history_name,
    move_checkpoint,
    remove_leftovers,
)

if TYPE_CHECKING:
    from ..learning.types import AnyArray, BoolArray, IntArray

logger = logging.getLogger(__name__)


def remove_rows(column: str, select: Callable[[AnyArray], BoolArray]) -> int:
    """Remove the rows for which ``select`` is true of the value of ``column``; returns their number.

    Delete their events from the table first. The new files are renamed once all are written, then the checkpoint moves:
    after a crash in between, the next export finds the files inconsistent and rebuilds them. The same holds for a file
    that was changed, which is deleted.
    """
    import pyarrow.parquet as pq

    position = export_position()
    remove_leftovers(position)
    replacements: list[tuple[Path, Path | None]] = []
    files, removed = dict(position.files), 0
    for path in sorted(history_folder().glob("*/*.parquet")):
        if not position.matches(path):
            logger.warning("Removing a history file that was changed since it was written: %s.", history_name(path))
            path.unlink()
            continue
        selected = select(pq.ParquetFile(path).read([column])[column].to_numpy())
        if selected.any():
            replacements.append((path, None if selected.all() else _rewrite(path, ~selected)))
            removed += int(selected.sum())
    for path, replacement in replacements:
        if replacement is None:
            path.unlink()
            del files[history_name(path)]
        else:
            files[history_name(path)] = digest_of(replacement.rename(path))
    if removed:
        move_checkpoint(ExportPosition(position.event, position.rows - removed, files))
    return removed


def remove_deleted() -> int:
    """Remove the rows whose events have been deleted from the table; returns their number."""
    position = export_position()
    if position.rows <= Event.objects.filter(pk__lte=position.event).count():
        return 0
    return remove_rows("event", _is_deleted)


def _is_deleted(events: IntArray) -> BoolArray:
    import numpy as np

    stored: list[int] = []
    for chunk in chunks(events.tolist(), MAX_LOOKUP_IDS):
        stored += Event.objects.filter(pk__in=chunk).order_by().values_list("pk", flat=True)
    return ~np.isin(events, stored)


def _rewrite(path: Path, mask: BoolArray) -> Path:
    """Write the rows of ``path`` selected by ``mask`` to a file next to it, in chunks."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    part = path.with_name(f"{path.name}.part")
    file = pq.ParquetFile(path)
    with pq.ParquetWriter(part, file.schema_arrow, compression="zstd") as writer:
        start = 0
        for batch in file.iter_batches(CHUNK_EVENTS):
            writer.write_batch(batch.filter(pa.array(mask[start : start + batch.num_rows])))
            start += batch.num_rows
    return part
