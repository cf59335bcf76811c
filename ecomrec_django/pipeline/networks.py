"""Trained networks as folders, each named after the digest of what is in it, so that none is half there or changed."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ..conf import conf

logger = logging.getLogger(__name__)

ABOUT, UNFINISHED = "about.json", "unfinished"


def folder_of_kind(kind: str) -> Path:
    """``<ARTIFACTS>/<kind>``, with a folder for each network; ``unfinished`` in it is the state of a training."""
    return conf.ARTIFACTS / kind


def newest(kind: str) -> tuple[Path | None, dict[str, Any]]:
    """The folder of the newest network, and what is written of it; None where there is none."""
    found = sorted(folder_of_kind(kind).glob(f"*/{ABOUT}"), key=lambda path: path.stat().st_mtime)
    for path in reversed(found):
        if _digest(path.parent) == path.parent.name:
            return path.parent, json.loads(path.read_text())
        logger.warning("The network in %s was changed since it was stored, and is not used.", path.parent)
    return None, {}


def keep(kind: str, write: Callable[[Path], None], about: dict[str, Any]) -> Path:
    """A network that ``write`` puts into a folder, whole or not at all; the others are removed. Returns its folder."""
    folder = folder_of_kind(kind)
    half = folder / "half"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    write(half)
    (half / ABOUT).write_text(json.dumps(about))
    made = folder / _digest(half)
    shutil.rmtree(made, ignore_errors=True)
    half.rename(made)
    for other in folder.iterdir():
        if other.is_dir() and other != made:
            shutil.rmtree(other)
    return made


def _digest(folder: Path) -> str:
    """Of all files of a network."""
    found = blake2b(digest_size=16)
    for path in sorted(folder.iterdir()):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()
