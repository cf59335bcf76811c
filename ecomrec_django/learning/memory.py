"""A memory limit of this process, for trainings whose need is unknown beforehand; enforced on Linux."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..errors import DataError, MemoryLimitError

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_STATM = Path("/proc/self/statm")


class MemoryLimit:
    """A limit such as "4GB"; raises DataError for any other text."""

    def __init__(self, text: str) -> None:
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMG]i?B)\s*", str(text), re.IGNORECASE)
        if match is None or not float(match[1]):
            raise DataError(f"{text!r} is not an amount of memory such as 4GB or 1500MB.")
        self.text = str(text)
        self.bytes = int(float(match[1]) * _UNITS[match[2].upper()])

    def check(self) -> None:
        """Raise MemoryLimitError if this process uses more."""
        if (now := resident_bytes()) > self.bytes:
            raise MemoryLimitError(
                f"The training was stopped at {now / 10**6:,.0f} MB of memory; the limit is {self.text}. Raise "
                "ECOMREC['DEEP_MEMORY']; the next run continues from here."
            )


def resident_bytes() -> int:
    """Bytes of memory that this process uses; 0 on systems other than Linux, where it is unknown."""
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if _STATM.exists() else 0
