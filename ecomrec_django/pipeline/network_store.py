"""Trained networks as folders, each named after the digest of what is in it, so that none is half there or changed."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ..artifacts import network_folder

logger = logging.getLogger(__name__)

METADATA, UNFINISHED = "about.json", "unfinished"


def latest_network(kind: str) -> tuple[Path | None, dict[str, Any]]:
    """The folder of the newest network and its metadata; None where there is none."""
    paths = sorted(network_folder(kind).glob(f"*/{METADATA}"), key=lambda path: path.stat().st_mtime)
    for path in reversed(paths):
        if _digest(path.parent) == path.parent.name:
            return path.parent, json.loads(path.read_text())
        logger.warning("The network in %s was changed since it was stored and is not used.", path.parent)
    return None, {}


def save_network(kind: str, write: Callable[[Path], None], about: dict[str, Any]) -> Path:
    """Store a network that ``write`` puts into a folder, atomically, and remove the others. Returns its folder."""
    folder = network_folder(kind)
    partial = folder / "half"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    write(partial)
    (partial / METADATA).write_text(json.dumps(about))
    target = folder / _digest(partial)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    for other in folder.iterdir():
        if other.is_dir() and other != target:
            shutil.rmtree(other)
    return target


def _digest(folder: Path) -> str:
    """Of all files of a network."""
    digest = blake2b(digest_size=16)
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
