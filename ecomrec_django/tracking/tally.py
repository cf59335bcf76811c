"""Counts what was not recorded, and why: nothing is left out silently.

Counts are kept in the process and written to Omission now and then, always from where no shopper waits.
"""

from __future__ import annotations

import atexit
import os
from collections import Counter
from contextlib import suppress
from threading import Lock
from time import monotonic

from django.db import Error as DatabaseFailure
from django.db.models import F, Sum
from django.utils import timezone

from ..models import Omission
from .retry import persistently

FLUSH_SECONDS = 10.0

Reason = Omission.Reason
_lock = Lock()
_pending: Counter[Reason] = Counter()
_flushed = 0.0


def leave_out(reason: Reason, events: int = 1) -> None:
    """Count ``events`` that were not recorded."""
    if events:
        with _lock:
            _pending[reason] += events


def left_out(reason: Reason) -> int:
    """How many were left out for ``reason``, written or not."""
    written = Omission.objects.filter(reason=reason).aggregate(total=Sum("count"))["total"] or 0
    return written + _pending[reason]


def flush(*, now: bool = False) -> None:
    """Write the counts, unless that was tried within FLUSH_SECONDS. Raises DatabaseError, with nothing forgotten."""
    global _flushed
    if not _pending or not (now or monotonic() - _flushed > FLUSH_SECONDS):
        return
    with _lock:
        counts = dict(_pending)
        _pending.clear()
        _flushed = monotonic()
    try:
        persistently(lambda: _add(counts))
    except BaseException:
        with _lock:
            _pending.update(counts)
        raise


def _add(counts: dict[Reason, int]) -> None:
    # One day for all of it: midnight may pass meanwhile.
    day = timezone.now().date()
    # In one order of rows for every process, so that two cannot wait for each other.
    for reason, events in sorted(counts.items()):
        row = Omission.objects.filter(day=day, reason=reason)
        if not row.update(count=F("count") + events):
            Omission.objects.bulk_create([Omission(day=day, reason=reason)], ignore_conflicts=True)
            row.update(count=F("count") + events)


def forget() -> None:
    """Start at nothing, as a forked child does: what its parent counted, its parent writes."""
    global _lock
    _lock = Lock()
    _pending.clear()


def flush_at_end() -> None:
    """Write the counts, if that can be, when this process ends."""
    with suppress(DatabaseFailure):
        flush(now=True)


os.register_at_fork(after_in_child=forget)
atexit.register(flush_at_end)
