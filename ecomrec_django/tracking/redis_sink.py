"""For very busy shops: requests hand what they saw to a Redis stream, and `drain` brings it to the database in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..conf import conf
from ..errors import ConfigurationError
from ..serving.failures import note_failure
from .observation import Observation
from .sinks import Breaker, DatabaseSink

STREAM = "ecomrec:events"
# The one field of an entry: an observation as JSON, its visitor a keyed hash.
FIELD = b"o"
# A request's process waits no longer for Redis.
SECONDS = 0.2


def connect(seconds: float) -> Any:
    """A client that waits for at most ``seconds`` and connects at its first command, anew in a forked child.

    Raises ConfigurationError where the package or the address is missing.
    """
    try:
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError as error:
        raise ConfigurationError('Events can go through Redis with: pip install "ecomrec-django[redis]".') from error
    if not conf.REDIS:
        raise ConfigurationError(
            'Set ECOMREC["REDIS"] to the address of the Redis that events go through, such as '
            '"redis://127.0.0.1:6379/0".'
        )
    try:
        # Without tries of the client's own, each of which would wait again.
        return Redis.from_url(
            conf.REDIS,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
    except ValueError as error:
        raise ConfigurationError(f'ECOMREC["REDIS"] is not the address of a Redis: {error}') from error


class RedisSink:
    """Into the stream; straight into the database while Redis refuses, is silent or is full.

    An entry that arrived although its answer did not is harmless: the database takes an observation once.
    """

    def __init__(self) -> None:
        self._redis = connect(SECONDS)
        self._breaker = Breaker()
        self._fallback = DatabaseSink()

    def write(self, observations: Sequence[Observation]) -> None:
        if not self._breaker.lets_through() or not self._add(observations):
            self._fallback.write(observations)

    def _add(self, observations: Sequence[Observation]) -> bool:
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                for one in observations:
                    pipeline.xadd(STREAM, {FIELD: one.to_json()})
                pipeline.execute()
        except Exception as error:
            self._breaker.trip()
            note_failure("tracking", error, "Redis took no events, so they go straight into the database")
            return False
        self._breaker.mend()
        return True
