"""Order lines that an import refused. Each is asked for again, when its time comes or else once a day, until it is
imported, or no longer among the shop's orders, or given up."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from ...catalog.adapter import PurchaseLine
from ...catalog.validation import LONGEST_ID
from ...db import MAX_LOOKUP_IDS, chunks, storable, to_aware, to_db_time
from ...failures import message_of
from ...models import WaitingLine
from ..validation import LONGEST_ORDER, SKEW, FutureTimeError
from .lines import name_of

logger = logging.getLogger(__name__)

# A line that does not wait for its time is asked for so often, once each RETRY.
MOST_TRIES = 7
RETRY = timedelta(days=1)
# What the table holds; the rest comes again with those that it holds.
MOST_LINES = 10_000


def start_for_waiting(since: datetime | None) -> datetime | None:
    """The time from which an import has to read so that lines which are due come again; ``since`` if none are."""
    if since is None:
        return None
    now = to_db_time(timezone.now())
    # A clock that was ahead tried lines in the future.
    due = WaitingLine.objects.filter(Q(due__lte=now) | Q(tried__gt=now), given_up=False)
    if due.filter(since=None).exists():
        return None
    earliest = due.order_by("since").values_list("since", flat=True).first()
    return since if earliest is None else min(since, to_aware(earliest))


def known_as(line: object) -> str:
    """`WaitingLine.line` of a record of the shop."""
    own = line.line if isinstance(line, PurchaseLine) else None
    return storable(str(own) if own not in (None, "") else name_of(line))[:LONGEST_ID]


class WaitingRoom:
    """The refused lines of one import.

    given_up: how many of them are not asked for again.
    """

    def __init__(self) -> None:
        self.given_up = 0
        self._refused: dict[str, tuple[object, Exception]] = {}

    def add(self, refused: Iterable[tuple[object, Exception]]) -> None:
        """Take refused lines and what is wrong with them, as many as the table holds."""
        for line, error in refused:
            if len(self._refused) < MOST_LINES:
                self._refused[known_as(line)] = line, error

    def store(self, since: datetime | None, *, complete: bool) -> None:
        """Store them for the next imports.

        since: what the import asked for.
        complete: whether it read all of that, so that lines which it was not given are no longer waited for.
        """
        now = timezone.now()
        known = {row.line: row for row in WaitingLine.objects.all()}
        if complete:
            done = [
                row.pk
                for row in known.values()
                if row.line not in self._refused
                and (since is None or (row.since is not None and to_aware(row.since) >= since))
            ]
            for chunk in chunks(done, MAX_LOOKUP_IDS):
                WaitingLine.objects.filter(pk__in=chunk).delete()
        new = [name for name in self._refused if name not in known][: max(MOST_LINES - len(known), 0)]
        WaitingLine.objects.bulk_create([self._row(name, since, now) for name in new], ignore_conflicts=True)
        for name, row in known.items():
            if name in self._refused:
                self._try_again(row, now)

    def _row(self, name: str, since: datetime | None, now: datetime) -> WaitingLine:
        line, error = self._refused[name]
        order = str(line.order) if isinstance(line, PurchaseLine) else ""
        return WaitingLine(
            line=name,
            order=storable(order)[:LONGEST_ORDER],
            reason=storable(message_of(error)),
            since=None if since is None else to_db_time(since),
            tried=to_db_time(now),
            due=to_db_time(_due(error, now)),
        )

    def _try_again(self, row: WaitingLine, now: datetime) -> None:
        """Count a try of a line that was refused again. One that came before it was due is no try."""
        _, error = self._refused[row.line]
        row.reason = storable(message_of(error))
        if to_aware(row.due) <= now or to_aware(row.tried) > now:
            row.tries += 1
            row.due, row.tried = to_db_time(_due(error, now)), to_db_time(now)
            if row.tries > MOST_TRIES and not isinstance(error, FutureTimeError) and not row.given_up:
                row.given_up = True
                logger.error("Order line %s was refused %s times and is given up: %s", row.line, MOST_TRIES, row.reason)
        self.given_up += row.given_up
        row.save()


def forget_waiting(lines: Iterable[PurchaseLine]) -> None:
    """Imported lines wait no longer."""
    if WaitingLine.objects.exists():
        for chunk in chunks((line.line for line in lines), MAX_LOOKUP_IDS):
            WaitingLine.objects.filter(line__in=chunk).delete()


def _due(error: Exception, now: datetime) -> datetime:
    # A time far off may have been corrected by then, which the shop's own change brings in.
    return to_aware(error.time) - SKEW if isinstance(error, FutureTimeError) else now + RETRY
