"""Moves events from the Redis stream to the database, each exactly once, whatever fails on the way.

A batch is acknowledged once it is stored. Other processes take over the entries of a dead one after a while, and
entries delivered twice are stored once.
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
from ..failures import note_failure
from .intake import store
from .observation import Observation
from .omissions import Reason, count_omitted, flush_omissions
from .redis_sink import FIELD, STREAM, connect
from .transactions import is_data_error, tidy_connections
from .validation import clean_item

GROUP = "ecomrec"
BATCH = 500
# Unacknowledged entries may be claimed after this time, which is longer than any batch takes.
ABANDONED_SECONDS = 60.0
# A read waits this long for new entries; stop signals are checked in between.
READ_SECONDS = 1.0
ANSWER_SECONDS = 5.0
# The pause after a failure starts at half a second and doubles up to this.
LONGEST_WAIT = 30.0


@dataclass
class DrainReport:
    """Entries read from Redis.

    entries: all of them
    unreadable: not an observation
    spoilt: refused by the database
    """

    entries: int = 0
    unreadable: int = 0
    spoilt: int = 0


def drain(stop: Signal | None = None, *, once: bool = False) -> DrainReport:
    """Store entries until ``stop`` is set, or with ``once`` until none is left. The current batch is always finished.

    While Redis or the database is unavailable, nothing is lost: it retries with growing pauses, or raises EcomrecError
    with ``once``. Raises ConfigurationError if Redis is not configured.
    """
    return _Drain(stop or Signal(), once=once).run()


class _Drain:
    def __init__(self, stop: Signal, *, once: bool) -> None:
        self._redis = connect(ANSWER_SECONDS)
        self._stop = stop
        self._once = once
        self._name = f"{gethostname()}-{uuid4().hex[:12]}"
        self._failures = 0
        # _batch: entries read but not stored. _stored: entries stored but not acknowledged.
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
                    note_failure("tracking", error, "Events are waiting in Redis")
                    if self._once:
                        raise EcomrecError(f"Events are waiting in Redis: {type(error).__name__}: {error}") from error
                    self._pause()
                tidy_connections()
        finally:
            with suppress(RedisError):
                self._leave()
        return self.report

    def _step(self) -> bool:
        """Process one batch; False if there was none. A step that raises is repeated by the next one."""
        self._acknowledge()
        if not self._batch:
            self._take()
        if not self._batch:
            return False
        self._store([observation for _, observation in self._batch if observation is not None])
        self._stored = [number for number, _ in self._batch]
        self._batch = []
        flush_omissions(now=True)
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
            # Created only where it is missing: a full Redis refuses even the check.
            self._make_group()
            entries = self._new()
        self._batch = [(number, self._read(fields)) for number, fields in entries]
        self.report.entries += len(entries)

    def _make_group(self) -> None:
        from redis import ResponseError

        try:
            self._redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            # Another process has just created it.
            if not str(error).startswith("BUSYGROUP"):
                raise

    def _abandoned(self) -> list[Any]:
        _, entries, *_ = self._redis.xautoclaim(
            STREAM, GROUP, self._name, min_idle_time=int(ABANDONED_SECONDS * 1000), count=BATCH
        )
        return list(entries)

    def _new(self) -> list[Any]:
        wait = None if self._once else int(READ_SECONDS * 1000)
        streams = self._redis.xreadgroup(GROUP, self._name, {STREAM: ">"}, count=BATCH, block=wait)
        return streams[0][1] if streams else []

    def _acknowledge(self) -> None:
        if self._stored:
            # No MULTI: a full Redis refuses it. Deleted first, since nothing would delete an acknowledged entry later.
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.xdel(STREAM, *self._stored)
                pipeline.xack(STREAM, GROUP, *self._stored)
                pipeline.execute()
            self._stored = []

    def _leave(self) -> None:
        """Remove this process from the consumers, unless it holds entries, which others could not claim then."""
        if not self._redis.xpending_range(STREAM, GROUP, "-", "+", 1, consumername=self._name):
            self._redis.xgroup_delconsumer(STREAM, GROUP, self._name)

    # -- the database -----------------------------------------------------------------------------------------------

    def _read(self, fields: dict[bytes, bytes]) -> Observation | None:
        """The observation of an entry; None, and counted, for an invalid one."""
        try:
            observation = Observation.from_json(fields[FIELD])
            if observation.exposure is None:
                clean_item(observation.item)
        except Exception as error:
            note_failure("tracking", error, "An entry in Redis could not be read")
            count_omitted(Reason.LOST)
            self.report.unreadable += 1
            return None
        return observation

    def _store(self, observations: list[Observation]) -> None:
        """Store observations; those that the database rejects are counted and dropped. Raises if it is unavailable."""
        if not observations:
            return
        try:
            store(observations)
        except Exception as error:
            if not is_data_error(error):
                raise
            if len(observations) > 1:
                half = len(observations) // 2
                self._store(observations[:half])
                self._store(observations[half:])
                return
            note_failure("tracking", error, "An event from Redis cannot be stored")
            count_omitted(Reason.LOST)
            self.report.spoilt += 1
