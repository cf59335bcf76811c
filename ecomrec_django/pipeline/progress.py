"""What a training run says of itself while it works."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..learning.memory import Ceiling
from ..models import TrainingRun

# Called with (stage, percent of the whole).
Progress = Callable[[str, int], None]


class Reporter:
    """Writes stage and percent of a TrainingRun, at most once a second, and seconds per stage into its metrics.

    Whoever reports holds no more memory than the ``ceiling``: else it raises MemoryLimitError.
    """

    INTERVAL = 1.0

    def __init__(
        self, run: TrainingRun, total: float, progress: Progress | None, ceiling: Ceiling | None = None
    ) -> None:
        self.run = run
        self._ceiling = ceiling
        self._total = total
        self._progress = progress
        self._begun = 0.0
        self._share = 0.0
        self._written = 0.0

    @contextmanager
    def stage(self, name: str, share: float) -> Iterator[None]:
        """Work on ``name``, which is ``share`` of the total; the seconds it took go into the metrics."""
        self.run.stage, self._share = name, share
        self._written = 0.0
        self(0, 1)
        began = time.monotonic()
        yield
        self.run.metrics.setdefault("seconds", {})[name] = round(time.monotonic() - began, 2)
        self._begun += share

    def __call__(self, done: int, total: int) -> None:
        """``total`` 0: not known."""
        if self._ceiling is not None:
            self._ceiling.check()
        part = min(done / total, 1.0) if total else 0.0
        self.run.percent = min(int(100 * (self._begun + self._share * part) / self._total), 99)
        now = time.monotonic()
        if now - self._written >= self.INTERVAL:
            self._written = now
            self.run.save(update_fields=["stage", "percent"])
        if self._progress:
            self._progress(self.run.stage, self.run.percent)
