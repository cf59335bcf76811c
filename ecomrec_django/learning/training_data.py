"""Everything a strategy may learn from, handed over as one object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from .engine import Engine


def _silent(done: int, total: int) -> None:
    pass


@dataclass(frozen=True)
class TrainingData:
    """``history`` is a folder of Parquet files or an Arrow table (columns HISTORY), ``items`` an Arrow table
    (columns ITEMS).
    """

    engine: Engine
    history: str | pa.Table
    items: pa.Table
    # Learn only from events before this moment; None for all.
    until: datetime | None = None
    # Called with (steps done, steps in all) while a strategy works.
    progress: Callable[[int, int], None] = _silent
