"""A bound on the memory of this process, for work whose need is not known beforehand; kept on Linux."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..errors import DataError, MemoryLimitError

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_STATM = Path("/proc/self/statm")


class Ceiling:
    """``text`` such as "4GB"; raises DataError for anything else."""

    def __init__(self, text: str) -> None:
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMG]i?B)\s*", str(text), re.IGNORECASE)
        if found is None or not float(found[1]):
            raise DataError(f"{text!r} is no amount of memory: write it like 4GB or 1500MB.")
        self.text = str(text)
        self.bytes = int(float(found[1]) * _UNITS[found[2].upper()])

    def check(self) -> None:
        """Raises MemoryLimitError where this process holds more."""
        if (now := held()) > self.bytes:
            raise MemoryLimitError(
                f"Networks may take {self.text} of memory, and this one was stopped at {now / 10**6:,.0f} MB: raise "
                "ECOMREC['DEEP_MEMORY']. What it has learned so far is kept for the next run."
            )


def held() -> int:
    """Bytes of memory that this process holds; 0 on a system that is not Linux, where nothing tells."""
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if _STATM.exists() else 0
