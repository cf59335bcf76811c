"""Named arrays and a few facts in one file that runs no code, written whole or not at all."""

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

_FACTS = "facts"


def write(path: Path, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
    """Put ``arrays`` and ``facts`` (what JSON can say) in the place of ``path``; killed on the way, it is as it was."""
    made = path.with_name(f".{path.name}.{uuid4().hex}")
    text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    try:
        with made.open("xb") as file:
            np.savez(file, allow_pickle=False, **arrays, **{_FACTS: text})
            file.flush()
            os.fsync(file.fileno())
        os.replace(made, path)
    except BaseException:
        made.unlink(missing_ok=True)
        raise


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What `write` has put there; raises DataError for a file that is missing or broken."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        facts = json.loads(arrays.pop(_FACTS).tobytes())
    except (OSError, EOFError, ValueError, KeyError, BadZipFile, BadStream) as error:
        raise DataError(f"{path} cannot be read ({error}).") from error
    return arrays, facts
