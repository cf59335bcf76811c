"""From the Redis stream into the database: every event once, whatever dies on the way.

A batch is acknowledged when it is stored. What a dead process had taken is taken over by others after a while, and what
comes twice is stored once.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from socket import gethostname
from threading import Event as Signal
from typing import Any
from uuid import uuid4

from django.db import Error as DatabaseFailure

from ..errors import EcomrecError
from ..serving.failures import note_failure
from .cleaning import clean_item
from .intake import store
from .observation import Observation
from .redis_sink import FIELD, STREAM, connect
from .retry import about_rows, tidy_connections
from .tally import Reason, flush, leave_out

GROUP = "ecomrec"
BATCH = 500
# An entry that somebody took so long ago, and did not acknowledge, is anybody's. Longer than any batch takes.
ABANDONED_SECONDS = 60.0
# For so long a read waits for something new; a signal is heeded afterwards.
READ_SECONDS = 1.0
ANSWER_SECONDS = 5.0
# After a failure: half a second, doubled up to this.
LONGEST_WAIT = 30.0


@dataclass
class DrainReport:
    """Entries taken from Redis; those of them that could not be read, or that the database can never take."""

    entries: int = 0
    unreadable: int = 0
    spoilt: int = 0


def drain(stop: Signal | None = None, *, once: bool = False) -> DrainReport:
    """Store what comes, until ``stop`` is set; with ``once`` what is there now. The batch in hand is finished first.

    While Redis or the database does not answer, nothing is lost: it tries again, with growing pauses. Raises
    ConfigurationError, and with ``once`` EcomrecError where one of them does not answer.
    """
    return _Drain(stop or Signal(), once).run()


class _Drain:
    def __init__(self, stop: Signal, once: bool) -> None:
        self._redis = connect(ANSWER_SECONDS)
        self._stop = stop
        self._once = once
        self._name = f"{gethostname()}-{uuid4().hex[:12]}"
        self._failures = 0
        # Taken and not stored yet; stored and not acknowledged yet.
        self._batch: list[tuple[bytes, Observation | None]] = []
        self._stored: list[bytes] = []
        self.report = DrainReport()

    def run(self) -> DrainReport:
        from redis import RedisError

        try:
            while not self._stop.is_set():
                try:
                    if not self._step() and self._once:
                        break
                    self._failures = 0
                except (RedisError, DatabaseFailure) as error:
                    note_failure("tracking", error, "Events wait in Redis")
                    if self._once:
                        raise EcomrecError(f"Events wait in Redis: {type(error).__name__}: {error}") from error
                    self._pause()
                tidy_connections()
        finally:
            with suppress(RedisError):
                self._leave()
        return self.report

    def _step(self) -> bool:
        """One batch, all the way; False if nothing came. What raises is done again by the next step."""
        self._acknowledge()
        if not self._batch:
            self._take()
        if not self._batch:
            return False
        self._store([one for _, one in self._batch if one is not None])
        self._stored = [number for number, _ in self._batch]
        self._batch = []
        flush(now=True)
        self._acknowledge()
        return True

    def _pause(self) -> None:
        self._stop.wait(min(LONGEST_WAIT, 0.5 * 2**self._failures))
        self._failures = min(self._failures + 1, 10)

    # -- Redis ------------------------------------------------------------------------------------------------------

    def _take(self) -> None:
        from redis import ResponseError

        try:
            entries = self._abandoned() or self._new()
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            # Made only where it is missing: a full Redis refuses even to say that it is there.
            self._make_group()
            entries = self._new()
        self._batch = [(number, self._read(fields)) for number, fields in entries]
        self.report.entries += len(entries)

    def _make_group(self) -> None:
        from redis import ResponseError

        try:
            self._redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            # Another process that starts now was quicker.
            if not str(error).startswith("BUSYGROUP"):
                raise

    def _abandoned(self) -> list[Any]:
        _, entries, *_ = self._redis.xautoclaim(
            STREAM, GROUP, self._name, min_idle_time=int(ABANDONED_SECONDS * 1000), count=BATCH
        )
        return list(entries)

    def _new(self) -> list[Any]:
        wait = None if self._once else int(READ_SECONDS * 1000)
        found = self._redis.xreadgroup(GROUP, self._name, {STREAM: ">"}, count=BATCH, block=wait)
        return found[0][1] if found else []

    def _acknowledge(self) -> None:
        if self._stored:
            # No MULTI: a full Redis refuses it. Deleted first: nobody reads what is acknowledged and still there.
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.xdel(STREAM, *self._stored)
                pipeline.xack(STREAM, GROUP, *self._stored)
                pipeline.execute()
            self._stored = []

    def _leave(self) -> None:
        """Take this process off the list of readers, which would grow for ever; unless something is still in its name,
        which others could then not take over."""
        if not self._redis.xpending_range(STREAM, GROUP, "-", "+", 1, consumername=self._name):
            self._redis.xgroup_delconsumer(STREAM, GROUP, self._name)

    # -- the database -----------------------------------------------------------------------------------------------

    def _read(self, fields: dict[bytes, bytes]) -> Observation | None:
        """The observation of an entry; None, counted, for what is none."""
        try:
            one = Observation.from_json(fields[FIELD])
            if one.exposed is None:
                clean_item(one.item)
        except Exception as error:
            note_failure("tracking", error, "An entry in Redis could not be read")
            leave_out(Reason.LOST)
            self.report.unreadable += 1
            return None
        return one

    def _store(self, observations: list[Observation]) -> None:
        """One that spoils the whole batch is found, counted and left out. Raises where the database takes nothing."""
        if not observations:
            return
        try:
            store(observations)
        except Exception as error:
            if not about_rows(error):
                raise
            if len(observations) > 1:
                half = len(observations) // 2
                self._store(observations[:half])
                self._store(observations[half:])
                return
            note_failure("tracking", error, "An event from Redis cannot be stored")
            leave_out(Reason.LOST)
            self.report.spoilt += 1
