"""Named arrays and some JSON facts in one file that runs no code, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4
from zipfile import BadZipFile
from zlib import error as BadStream  # noqa: N812

import numpy as np

from ..errors import DataError
from .types import AnyArray

_FACTS = "facts"


def write_npz(path: Path, arrays: Mapping[str, AnyArray], facts: Mapping[str, Any]) -> None:
    """Replace ``path`` by ``arrays`` and ``facts`` (JSON); if that is interrupted, the old file stays.

    Raises DataError for an array of objects.
    """
    for name, array in arrays.items():
        # NumPy before 2.2 has no argument of savez that refuses them.
        if array.dtype.hasobject:
            raise DataError(f"The array {name!r} holds objects, which only pickle could store.")
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    # Typed so because the stubs take any of them for `allow_pickle`.
    contents: dict[str, Any] = {**arrays, _FACTS: np.frombuffer(json.dumps(facts).encode(), np.uint8)}
    try:
        with temporary.open("xb") as file:
            np.savez(file, **contents)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_npz(path: Path) -> tuple[dict[str, AnyArray], dict[str, Any]]:
    """What `write_npz` has put there; raises DataError for a file that is missing or broken."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        facts = json.loads(arrays.pop(_FACTS).tobytes())
    except (OSError, EOFError, ValueError, KeyError, BadZipFile, BadStream) as error:
        raise DataError(f"{path} cannot be read ({error}).") from error
    return arrays, facts
