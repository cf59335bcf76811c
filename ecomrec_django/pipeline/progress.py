"""How a training run reports its progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..learning.memory import MemoryLimit
from ..models import TrainingRun

# Called with (stage, percent of the whole).
StageProgress = Callable[[str, int], None]


class Reporter:
    """Writes stage and percent of a TrainingRun, at most once a second, and seconds per stage into its metrics.

    Called with (done, total) of the present stage. Raises MemoryLimitError where the process holds more than ``limit``.
    """

    INTERVAL = 1.0

    def __init__(
        self, run: TrainingRun, total: float, progress: StageProgress | None, limit: MemoryLimit | None = None
    ) -> None:
        self.run = run
        self._limit = limit
        self._total = total
        self._progress = progress
        self._finished_share = 0.0
        self._share = 0.0
        self._written = 0.0

    @contextmanager
    def stage(self, name: str, share: float) -> Iterator[None]:
        """Work on ``name``, which is ``share`` of the total; the seconds it took go into the metrics."""
        self.run.stage, self._share = name, share
        self._written = 0.0
        self(0, 1)
        started = time.monotonic()
        yield
        self.run.metrics.setdefault("seconds", {})[name] = round(time.monotonic() - started, 2)
        self._finished_share += share

    def __call__(self, done: int, total: int) -> None:
        """Report ``done`` of ``total`` steps of the present stage; 0 where the total is not known."""
        if self._limit is not None:
            self._limit.check()
        part = min(done / total, 1.0) if total else 0.0
        self.run.percent = min(int(100 * (self._finished_share + self._share * part) / self._total), 99)
        now = time.monotonic()
        if now - self._written >= self.INTERVAL:
            self._written = now
            self.run.save(update_fields=["stage", "percent"])
        if self._progress:
            self._progress(self.run.stage, self.run.percent)
