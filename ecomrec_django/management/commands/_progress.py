"""A progress bar for interactive terminals."""

from __future__ import annotations

import sys
from types import TracebackType

from tqdm import tqdm


class Bar:
    """A context manager around tqdm; silent unless stderr is a terminal."""

    def __init__(self, unit: str, total: int | None = None) -> None:
        self._bar = tqdm(total=total, unit=f" {unit}", disable=not sys.stderr.isatty(), leave=False)

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def count(self, done: int, total: int) -> None:
        """Show ``done`` of ``total``; a total of 0 is unknown."""
        self._bar.total = total or None
        self._bar.update(done - self._bar.n)

    def percent(self, stage: str, percent: int) -> None:
        self._bar.set_description_str(stage, refresh=False)
        self._bar.update(percent - self._bar.n)
