"""Paths of everything that is stored as files under ``ECOMREC["ARTIFACTS"]``."""

from __future__ import annotations

import re
from pathlib import Path

from .conf import conf

# What each folder holds, by name. Anything else below the folder of artifacts is somebody else's.
_OURS = {
    "history": re.compile(r"\d{4}-\d\d"),
    "releases": re.compile(r"\d+"),
    "pictures": re.compile(r"[0-9a-f]{32}|half|unfinished"),
    "sequences": re.compile(r"[0-9a-f]{32}|half|unfinished"),
}
_LOCK = re.compile(r"(training|pictures|sequences)\.lock")


def history_folder() -> Path:
    """``<ARTIFACTS>/history``, with the exported events as ``<year>-<month>/<first event>-<last event>.parquet``."""
    return conf.ARTIFACTS / "history"


def release_folder(release: int) -> Path:
    """``<ARTIFACTS>/releases/<Release.pk>``: the ranking model, shared by all machines."""
    return conf.ARTIFACTS / "releases" / str(release)


def network_folder(kind: str) -> Path:
    """``<ARTIFACTS>/<kind>``, with a folder for each network; ``unfinished`` in it is the state of a training."""
    return conf.ARTIFACTS / kind


def stored_artifacts() -> list[Path]:
    """The files and folders of this package below ``<ARTIFACTS>``, which may hold files of the shop's own as well."""
    if not conf.ARTIFACTS.is_dir():
        return []
    stored = [
        path
        for folder, names in _OURS.items()
        for path in sorted((conf.ARTIFACTS / folder).glob("*/"))
        if names.fullmatch(path.name)
    ]
    return stored + [path for path in sorted(conf.ARTIFACTS.glob("*.lock")) if _LOCK.fullmatch(path.name)]
