"""A sink for very busy shops: requests append to a Redis stream, which `drain` moves to the database in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..conf import conf
from ..errors import ConfigurationError
from ..failures import note_failure
from .observation import Observation
from .sinks import Breaker, DatabaseSink

STREAM = "ecomrec:events"
# The only field of an entry: an observation as JSON, its visitor a keyed hash.
FIELD = b"o"
# Timeout of Redis in web processes.
SECONDS = 0.2


def connect(seconds: float) -> Any:
    """A client with a timeout of ``seconds`` that connects at its first command, and again in a forked child.

    Raises ConfigurationError if the package or the address is missing.
    """
    try:
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError as error:
        raise ConfigurationError(
            'The Redis sink needs the redis package: pip install "ecomrec-django[redis]".'
        ) from error
    if not conf.REDIS:
        raise ConfigurationError(
            'The Redis sink needs the address of Redis: set ECOMREC["REDIS"], for example to "redis://127.0.0.1:6379/0".'
        )
    try:
        # No retries by the client: each would wait for the timeout again.
        return Redis.from_url(
            conf.REDIS,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
    except ValueError as error:
        raise ConfigurationError(f'ECOMREC["REDIS"] is not a valid Redis address: {error}') from error


class RedisSink:
    """Appends to the stream; writes to the database while Redis fails, times out or is full.

    An entry whose confirmation was lost is harmless: the database stores an observation once.
    """

    def __init__(self) -> None:
        self._redis = connect(SECONDS)
        self._breaker = Breaker()
        self._fallback = DatabaseSink()

    def write(self, observations: Sequence[Observation]) -> None:
        """Raises nothing: what neither Redis nor the database takes is counted as lost."""
        if not self._breaker.lets_through() or not self._add(observations):
            self._fallback.write(observations)

    def _add(self, observations: Sequence[Observation]) -> bool:
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                for observation in observations:
                    pipeline.xadd(STREAM, {FIELD: observation.to_json()})
                pipeline.execute()
        except Exception as error:
            self._breaker.trip()
            note_failure("tracking", error, "Redis is unavailable; events are written directly to the database")
            return False
        self._breaker.mend()
        return True
