"""Where observations go once a response is out. A sink never raises: what it could not keep is counted as lost."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from threading import Lock
from time import monotonic
from typing import Protocol

from ..conf import conf
from ..serving.failures import note_failure
from .intake import store
from .observation import Observation
from .retry import about_rows, refused
from .tally import Reason, leave_out


class Sink(Protocol):
    """What ``ECOMREC["SINK"]`` names: a class without arguments, of which each process makes one.

    Making it connects to nothing; it raises ConfigurationError where settings or packages are missing.
    """

    def write(self, observations: Sequence[Observation]) -> None: ...


class Breaker:
    """After a failure, lets nothing through for a while, so that no request waits again for what does not answer.

    Then one attempt goes first, and the others follow once it has succeeded. Threads share it.
    """

    SECONDS = 5.0

    def __init__(self) -> None:
        self._lock = Lock()
        self._until: float | None = None

    def lets_through(self) -> bool:
        with self._lock:
            if self._until is None:
                return True
            if monotonic() < self._until:
                return False
            self._until = monotonic() + self.SECONDS
            return True

    def trip(self) -> None:
        with self._lock:
            self._until = monotonic() + self.SECONDS

    def mend(self) -> None:
        with self._lock:
            self._until = None


def sink() -> Sink:
    """This process's sink."""
    return _sink(conf.SINK)


@cache
def _sink(made: type[Sink]) -> Sink:
    return made()


forget_sinks = _sink.cache_clear
# A child must not wait for a lock that a thread of its parent held.
os.register_at_fork(after_in_child=forget_sinks)


class DatabaseSink:
    """Straight into the shop's database."""

    def __init__(self) -> None:
        self.breaker = Breaker()

    def write(self, observations: Sequence[Observation]) -> None:
        if not self.breaker.lets_through():
            leave_out(Reason.LOST, len(observations))
            return
        try:
            store(observations)
        except Exception as error:
            if refused(error):
                self.breaker.trip()
            else:
                self.breaker.mend()
                if about_rows(error) and len(observations) > 1:
                    # One of them spoils the chunk. The others need not go with it.
                    half = len(observations) // 2
                    self.write(observations[:half])
                    self.write(observations[half:])
                    return
            leave_out(Reason.LOST, len(observations))
            note_failure("tracking", error, "Events were not recorded")
        else:
            self.breaker.mend()
