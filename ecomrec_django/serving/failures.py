"""What failed inside of blocks: counted, and logged once, for a block never breaks a page."""

from __future__ import annotations

import logging
from collections import Counter

logger = logging.getLogger(__name__)

# Failures since this process started, by strategy (or "cache") and exception; the first of each is logged.
failures: Counter[tuple[str, str]] = Counter()


def note_failure(where: str, error: Exception, consequence: str = "The block is left empty") -> None:
    """Count a failure and log its first occurrence: where it happened, but no message, which may hold personal data."""
    kind = type(error).__name__
    failures[where, kind] += 1
    if failures[where, kind] == 1:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "?"
        logger.error("%s (%s): %s at %s", consequence, where, kind, place)
