"""Everything a strategy may learn from, handed over as one object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from .engine import Engine
    from .pairs import Statistics


def _silent(done: int, total: int) -> None:
    pass


@dataclass(frozen=True)
class TrainingData:
    """``events`` is a folder of Parquet files or an Arrow table (columns HISTORY), ``items`` and ``visitors`` are Arrow
    tables (columns ITEMS and VISITORS).
    """

    engine: Engine
    events: str | pa.Table
    items: pa.Table
    # None: nobody joined an account or withdrew consent.
    visitors: pa.Table | None = None
    # Learn only from events before this moment; None for all.
    until: datetime | None = None
    # Vectors of the pictures of all items, by ascending item; see `content.similar`. None: no picture was looked at.
    looks: np.ndarray | None = None
    # Name of the network that made them.
    looks_by: str = ""
    # Called with (steps done, steps in all) while a strategy works.
    progress: Callable[[int, int], None] = _silent

    @cached_property
    def statistics(self) -> Statistics:
        """The shared statistics of all items, each asked for once however many strategies read it."""
        import numpy as np

        from .pairs import Statistics

        return Statistics(self, np.sort(self.items["item"].to_numpy()))
