"""Transactions that are tried again where that helps, and what a database's error means."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError, connections, router
from django.db import Error as DatabaseFailure
from django.db.transaction import atomic

from ..models import Event

ATTEMPTS = 3
# Who has waited for so long waits no more.
SECONDS = 5.0
# MySQL's numbers: of two transactions that waited for each other this one had to go; a lock did not come free in time.
DEADLOCK, LOCK_TIMEOUT = 1213, 1205

T = TypeVar("T")


def persistently(work: Callable[[], T]) -> T:
    """Call ``work`` in one transaction on the database that holds our tables.

    It is called again after a deadlock, and once with a new connection where the old one had died since its last use.
    Raises what the last attempt raised, with nothing written. Inside another transaction there is one attempt only.
    """
    connection = connections[router.db_for_write(Event)]
    began = monotonic()
    used_before = connection.connection is not None
    attempt = 1
    while True:
        try:
            with atomic(using=connection.alias):
                return work()
        except (DatabaseError, InterfaceError) as error:
            if connection.in_atomic_block or attempt == ATTEMPTS or monotonic() - began > SECONDS:
                raise
            if _number(error) not in (DEADLOCK, LOCK_TIMEOUT):
                if about_rows(error) or not used_before or (connection.connection and connection.is_usable()):
                    raise
                connection.close()
                used_before = False
        attempt += 1


def about_rows(error: Exception) -> bool:
    """Whether the fault lies in what was to be written, not in a database that takes nothing."""
    return isinstance(error, DataError | IntegrityError) or not isinstance(error, DatabaseFailure)


def refused(error: Exception) -> bool:
    """Whether the database takes nothing at present, so that the next attempt need not wait for it either."""
    return not about_rows(error) and _number(error) != DEADLOCK


def tidy_connections() -> None:
    """Close connections that died or are too old, as Django does around a request, where there is no request."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def _number(error: Exception) -> object:
    return error.args[0] if isinstance(error, OperationalError) and error.args else None
