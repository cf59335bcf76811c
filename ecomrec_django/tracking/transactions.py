"""Transactions with retries, and the meaning of database errors."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError, connections, router
from django.db import Error as DatabaseFailure
from django.db.transaction import atomic

from ..models import Event

ATTEMPTS = 3
# No retries after this time.
SECONDS = 5.0
# Another transaction was in the way; MySQL's error numbers, and the SQLSTATE of PostgreSQL.
DEADLOCKS = frozenset({1213, "40P01", "40001"})
LOCK_TIMEOUTS = frozenset({1205, "55P03"})

T = TypeVar("T")


def retry_transaction(work: Callable[[], T]) -> T:
    """Call ``work`` in a transaction on the database of this package's tables.

    It is retried after a deadlock, and once on a new connection if the old one has died since its last use. Raises the
    error of the last attempt, with nothing written. Inside another transaction there is only one attempt.
    """
    connection = connections[router.db_for_write(Event)]
    began = monotonic()
    attempt = 1
    while True:
        driver_connection = connection.connection
        try:
            with atomic(using=connection.alias):
                return work()
        except (DatabaseError, InterfaceError) as error:
            if connection.in_atomic_block or attempt == ATTEMPTS or monotonic() - began > SECONDS:
                raise
            if _code(error) not in DEADLOCKS | LOCK_TIMEOUTS:
                # At the end of a transaction Django may have replaced a dead connection already.
                replaced = connection.connection is not driver_connection
                lost = driver_connection and (replaced or not connection.is_usable())
                if is_data_error(error) or not lost:
                    raise
                connection.close()
        attempt += 1


def is_data_error(error: Exception) -> bool:
    """Whether the data caused the error, not an unavailable database."""
    return isinstance(error, DataError | IntegrityError) or not isinstance(error, DatabaseFailure)


def is_unavailable(error: Exception) -> bool:
    """Whether the database is unavailable at present, so that an immediate retry is pointless."""
    return not is_data_error(error) and _code(error) not in DEADLOCKS


def tidy_connections() -> None:
    """Close dead and outdated connections, as Django does around requests; for processes without requests."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def _code(error: Exception) -> object:
    """MySQL's number or PostgreSQL's SQLSTATE; None if there is neither, as after the loss of a connection."""
    if not isinstance(error, OperationalError):
        return None
    return getattr(error.__cause__, "sqlstate", None) or next(iter(error.args), None)
