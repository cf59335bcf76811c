"""Counts of ignored events, by reason: nothing is dropped silently.

Counts are kept in the process and written to Omission now and then, never while a shopper waits.
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
from .transactions import retry_transaction

FLUSH_SECONDS = 10.0

Reason = Omission.Reason


class OmissionCounter:
    """The counts that this process has not written yet."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pending: Counter[Reason] = Counter()
        self._flushed = 0.0

    def reset(self) -> None:
        """Reset the counts, as in a forked child: its parent writes what was counted before."""
        self._lock = Lock()
        self._pending.clear()

    def add(self, reason: Reason, events: int) -> None:
        """Count ``events`` that were not recorded; safe among threads, no query."""
        if events:
            with self._lock:
                self._pending[reason] += events

    def pending(self, reason: Reason) -> int:
        """Events of this process for which `flush` has not written anything yet."""
        return self._pending[reason]

    def flush(self, *, now: bool) -> None:
        """See `flush_omissions`."""
        if not self._pending or not (now or monotonic() - self._flushed > FLUSH_SECONDS):
            return
        with self._lock:
            counts = dict(self._pending)
            self._pending.clear()
            self._flushed = monotonic()
        try:
            retry_transaction(lambda: _write(counts))
        except BaseException:
            with self._lock:
                self._pending.update(counts)
            raise


counter = OmissionCounter()


def count_omitted(reason: Reason, events: int = 1) -> None:
    """Count ``events`` that were not recorded."""
    counter.add(reason, events)


def omitted_count(reason: Reason) -> int:
    """The number of events ignored for ``reason``, written or not."""
    written = Omission.objects.filter(reason=reason).aggregate(total=Sum("count"))["total"] or 0
    return written + counter.pending(reason)


def flush_omissions(*, now: bool = False) -> None:
    """Write the counts, at most every FLUSH_SECONDS unless ``now``. If it raises DatabaseError, no count is lost."""
    counter.flush(now=now)


def _write(counts: dict[Reason, int]) -> None:
    # The same day for all rows, even if midnight passes meanwhile.
    day = timezone.now().date()
    # Every process updates rows in the same order, so that no two deadlock.
    for reason, events in sorted(counts.items()):
        row = Omission.objects.filter(day=day, reason=reason)
        if not row.update(count=F("count") + events):
            Omission.objects.bulk_create([Omission(day=day, reason=reason)], ignore_conflicts=True)
            row.update(count=F("count") + events)


def flush_omissions_at_exit() -> None:
    """Write the counts when this process ends, if the database is available."""
    with suppress(DatabaseFailure):
        flush_omissions(now=True)


os.register_at_fork(after_in_child=counter.reset)
atexit.register(flush_omissions_at_exit)
