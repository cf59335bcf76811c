"""Where observations go once a response is out. A sink never raises: what it could not keep is counted as lost."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from time import monotonic
from typing import Protocol

from django.db import Error as DatabaseFailure

from ..conf import conf
from ..serving.failures import note_failure
from .intake import store
from .observation import Observation
from .tally import Reason, flush, leave_out


class Sink(Protocol):
    """What ``ECOMREC["SINK"]`` names: a class without arguments, of which each process makes one."""

    def write(self, observations: Sequence[Observation]) -> None: ...


class Breaker:
    """After a failure, lets nothing through for a while, so that no request waits again for what does not answer."""

    SECONDS = 5.0

    def __init__(self) -> None:
        self._until = 0.0

    @property
    def open(self) -> bool:
        return monotonic() < self._until

    def trip(self) -> None:
        self._until = monotonic() + self.SECONDS


def sink() -> Sink:
    """This process's sink."""
    return _sink(conf.SINK)


@cache
def _sink(made: type[Sink]) -> Sink:
    return made()


forget_sinks = _sink.cache_clear


class DatabaseSink:
    """Straight into the shop's database."""

    def __init__(self) -> None:
        self.breaker = Breaker()

    def write(self, observations: Sequence[Observation]) -> None:
        if self.breaker.open:
            leave_out(Reason.LOST, len(observations))
            return
        try:
            store(observations)
        except DatabaseFailure as error:
            self.breaker.trip()
            leave_out(Reason.LOST, len(observations))
            note_failure("tracking", error, "Events were not recorded")
            return
        self._flush()

    def _flush(self) -> None:
        try:
            flush()
        except DatabaseFailure as error:
            self.breaker.trip()
            note_failure("tracking", error, "Counts of events left out are not written yet")
