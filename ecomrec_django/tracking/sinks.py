"""Sinks store observations after a response. A sink never raises: events that it cannot store are counted as lost."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from threading import Lock
from time import monotonic
from typing import Protocol

from ..conf import conf
from ..failures import note_failure
from .intake import store
from .observation import Observation
from .omissions import Reason, count_omitted
from .transactions import is_data_error, is_unavailable


class Sink(Protocol):
    """The interface of ``ECOMREC["SINK"]``: a class without arguments, instantiated once per process.

    The constructor opens no connection; it raises ConfigurationError if settings or packages are missing.
    """

    def write(self, observations: Sequence[Observation]) -> None:
        """Store what a request observed. Called after the response; an error is counted and logged."""


class Breaker:
    """Circuit breaker: after a failure, it refuses attempts for a while, so that requests need not wait.

    Then it allows a single attempt, and others once that has succeeded. Threads share it.
    """

    SECONDS = 5.0

    def __init__(self) -> None:
        self._lock = Lock()
        self._until: float | None = None

    def lets_through(self) -> bool:
        """Whether to try now: nobody in a pause; after it one caller, whose success lets the others through."""
        with self._lock:
            if self._until is None:
                return True
            if monotonic() < self._until:
                return False
            self._until = monotonic() + self.SECONDS
            return True

    def trip(self) -> None:
        """Note a failure: the pause starts, or starts again."""
        with self._lock:
            self._until = monotonic() + self.SECONDS

    def mend(self) -> None:
        """Note a success: everything goes through."""
        with self._lock:
            self._until = None


def sink() -> Sink:
    """This process's sink."""
    return _sink(conf.SINK)


@cache
def _sink(sink_class: type[Sink]) -> Sink:
    return sink_class()


forget_sinks = _sink.cache_clear
# A forked child must not wait for a lock that a thread of its parent held.
os.register_at_fork(after_in_child=forget_sinks)


class DatabaseSink:
    """Writes to the shop's database."""

    def __init__(self) -> None:
        self.breaker = Breaker()

    def write(self, observations: Sequence[Observation]) -> None:
        """Raises nothing: what cannot be stored is counted as lost; an invalid observation takes no others with it."""
        if not self.breaker.lets_through():
            count_omitted(Reason.LOST, len(observations))
            return
        try:
            store(observations)
        except Exception as error:
            if is_unavailable(error):
                self.breaker.trip()
            else:
                self.breaker.mend()
                if is_data_error(error) and len(observations) > 1:
                    # Isolate the invalid observation, so that the others are stored.
                    half = len(observations) // 2
                    self.write(observations[:half])
                    self.write(observations[half:])
                    return
            count_omitted(Reason.LOST, len(observations))
            note_failure("tracking", error, "Events were not recorded")
        else:
            self.breaker.mend()
