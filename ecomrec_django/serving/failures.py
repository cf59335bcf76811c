"""What failed inside: counted, and logged at most once a minute, for neither a block nor tracking breaks a page."""

from __future__ import annotations

import logging
from collections import Counter
from time import monotonic

logger = logging.getLogger(__name__)

LOG_SECONDS = 60.0

# Failures since this process started, by what failed (a strategy, "cache", "tracking") and exception.
failures: Counter[tuple[str, str]] = Counter()
_logged: dict[tuple[str, str], float] = {}


def note_failure(where: str, error: Exception, consequence: str = "The block is left empty") -> None:
    """Count a failure and log it: where it happened, but no message, which may hold personal data."""
    what = where, type(error).__name__
    failures[what] += 1
    now = monotonic()
    if failures[what] > 1 and now - _logged.get(what, -LOG_SECONDS) < LOG_SECONDS:
        return
    _logged[what] = now
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "?"
    logger.error("%s (%s): %s at %s; %s so far", consequence, where, what[1], place, failures[what])
