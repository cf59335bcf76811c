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
from .export import CHUNK_EVENTS, export_position, move_checkpoint, remove_leftovers

if TYPE_CHECKING:
    from ..learning.types import AnyArray, BoolArray, IntArray

logger = logging.getLogger(__name__)


def remove_rows(column: str, select: Callable[[AnyArray], BoolArray]) -> int:
    """Remove the rows for which ``select`` is true of the value of ``column``; returns their number.

    Delete their events from the table first. The new files are renamed once all are written, then the checkpoint moves:
    after a crash in between, the next export finds the files inconsistent and rebuilds them. The same holds for an
    unreadable file, which is deleted.
    """
    last, rows = export_position()
    remove_leftovers(last)
    replacements: list[tuple[Path, Path | None]] = []
    removed = 0
    for path in sorted(history_folder().glob("*/*.parquet")):
        selected = _selected_rows(path, column, select)
        if selected.any():
            replacements.append((path, None if selected.all() else _rewrite(path, ~selected)))
            removed += int(selected.sum())
    for path, replacement in replacements:
        if replacement is None:
            path.unlink()
        else:
            replacement.rename(path)
    if removed:
        move_checkpoint(last, rows - removed)
    return removed


def remove_deleted() -> int:
    """Remove the rows whose events have been deleted from the table; returns their number."""
    last, rows = export_position()
    if rows <= Event.objects.filter(pk__lte=last).count():
        return 0
    return remove_rows("event", _is_deleted)


def _is_deleted(events: IntArray) -> BoolArray:
    import numpy as np

    stored: list[int] = []
    for chunk in chunks(events.tolist(), MAX_LOOKUP_IDS):
        stored += Event.objects.filter(pk__in=chunk).order_by().values_list("pk", flat=True)
    return ~np.isin(events, stored)


def _selected_rows(path: Path, column: str, select: Callable[[AnyArray], BoolArray]) -> BoolArray:
    """The mask of the rows of one file that are to be removed."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        values = pq.ParquetFile(path).read([column])[column]
    except (OSError, pa.ArrowInvalid) as error:
        logger.warning("Removing an unreadable history file (%s): %s.", error, path)
        path.unlink()
        return np.zeros(0, bool)
    return select(values.to_numpy())


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
