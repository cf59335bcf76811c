"""Everything a strategy may learn from, handed over as one object."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..interactions import to_seconds
from ..progress import Progress, no_progress
from ..sparse import positions
from ..types import FloatArray
from .cooccurrence import Statistics

if TYPE_CHECKING:
    import pyarrow as pa

    from .engine import Engine

# Share of the purchase lines that `TrainingData.past` knows.
REPLAY_SHARE = 0.9


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """What a training reads.

    engine: runs the statistics
    events: a folder of Parquet files or an Arrow table, columns HISTORY
    items: an Arrow table, columns ITEMS
    visitors: an Arrow table, columns VISITORS; None where nobody joined an account or withdrew consent
    successors: an Arrow table, columns SUCCESSORS; None where no item took another's place
    until: only events before this moment are learned from; None for all
    image_vectors: by ascending item, shape (items, dimensions), see `content.content_similarity`; None without images
    image_network: name of the network that made the image vectors
    progress: called while a strategy works
    """

    engine: Engine
    events: str | pa.Table
    items: pa.Table
    visitors: pa.Table | None = None
    successors: pa.Table | None = None
    until: datetime | None = None
    image_vectors: FloatArray | None = None
    image_network: str = ""
    progress: Progress = no_progress

    @cached_property
    def statistics(self) -> Statistics:
        """The shared statistics of all items, each computed once however many strategies read it."""
        ids = np.sort(self.items["item"].to_numpy())
        sellable = self.items["sellable"].to_numpy(zero_copy_only=False).astype(bool)
        return Statistics(
            self.engine,
            self.events,
            ids,
            visitors=self.visitors,
            successors=self.successors,
            unsellable=self.items["item"].to_numpy()[~sellable],
            until=self.until,
        )

    @cached_property
    def past(self) -> TrainingData | None:
        """The same as of the moment by which REPLAY_SHARE of the purchase lines had been bought; None without any.

        What is fitted on, or tested by, what was bought afterwards learns from it.
        """
        lines = self.statistics.purchases()
        known = positions(self.statistics.ids, lines["item"].to_numpy()) >= 0
        seconds = to_seconds(lines["time"])[known]
        if not len(seconds):
            return None
        place = min(int(len(seconds) * REPLAY_SHARE), len(seconds) - 1)
        moment = datetime.fromtimestamp(int(np.partition(seconds, place)[place]), UTC)
        return replace(self, until=moment, progress=no_progress)
