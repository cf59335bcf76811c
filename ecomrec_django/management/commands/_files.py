"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4


@contextmanager
def whole(path: Path) -> Iterator[IO[str]]:
    """A text file that takes the place of ``path`` once all is written; after an error ``path`` is as it was."""
    made = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with open(made, "x", encoding="utf-8", newline="") as file:
            yield file
        os.replace(made, path)
    except BaseException:
        made.unlink(missing_ok=True)
        raise
