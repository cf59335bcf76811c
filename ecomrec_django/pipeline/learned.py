"""Where a release keeps what web processes rank by."""

from __future__ import annotations

from pathlib import Path

from ..conf import conf


def folder_of(release: int) -> Path:
    """``<ARTIFACTS>/releases/<Release.pk>``; on several machines, a folder that all of them share."""
    return conf.ARTIFACTS / "releases" / str(release)
