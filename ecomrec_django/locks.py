"""Exclusive locks across processes and machines; the database or the system frees the lock of a dead process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from hashlib import blake2b

from django.core.files import locks
from django.db import DatabaseError, connections, router
from django.db.backends.base.base import BaseDatabaseWrapper

from .conf import conf
from .errors import TrainingError
from .models import TrainingRun

_BUSY = "Another training is running. Wait until it ends, or see Training runs."
# Longer than any training; more is refused by servers on Windows.
_MYSQL_IDLE_SECONDS = 2_147_483


@contextmanager
def exclusive(work: str = "training") -> Iterator[None]:
    """Hold the lock of a kind of ``work``. Raises TrainingError at once if another process holds it.

    The database holds it for a connection of its own, which nothing else closes. SQLite has no such locks, nor more
    than one machine: there it is a file's.
    """
    connection = connections[router.db_for_write(TrainingRun)]
    lock = _DATABASE_LOCKS.get(connection.vendor)
    with lock(connection, work) if lock else _file_lock(work):
        yield


@contextmanager
def _mysql_lock(connection: BaseDatabaseWrapper, work: str) -> Iterator[None]:
    # Locks are the server's, not the database's.
    database = blake2b(str(connection.settings_dict["NAME"]).encode(), digest_size=16).hexdigest()
    with _own_connection(connection) as own, own.cursor() as cursor:
        cursor.execute("SET SESSION wait_timeout = %s", [_MYSQL_IDLE_SECONDS])
        name = f"ecomrec:{work}:{database}"
        cursor.execute("SELECT GET_LOCK(%s, 0)", [name])
        if cursor.fetchone() != (1,):
            raise TrainingError(_BUSY)
        try:
            yield
        finally:
            # The server notices a closed connection later than this process goes on.
            with suppress(DatabaseError):
                cursor.execute("SELECT RELEASE_LOCK(%s)", [name])


@contextmanager
def _postgresql_lock(connection: BaseDatabaseWrapper, work: str) -> Iterator[None]:
    number = int.from_bytes(blake2b(f"ecomrec:{work}".encode(), digest_size=8).digest(), signed=True)
    with _own_connection(connection) as own, own.cursor() as cursor:
        # In one transaction to the end: a pooler that shares connections between transactions leaves it this one.
        own.set_autocommit(False)
        cursor.execute(
            "SELECT set_config(name, '0', true) FROM pg_settings "
            "WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')"
        )
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        if cursor.fetchone() != (True,):
            raise TrainingError(_BUSY)
        try:
            yield
        finally:
            # As above.
            with suppress(DatabaseError):
                own.rollback()


@contextmanager
def _own_connection(connection: BaseDatabaseWrapper) -> Iterator[BaseDatabaseWrapper]:
    own = connection.copy()
    try:
        yield own
    finally:
        own.close()


@contextmanager
def _file_lock(work: str) -> Iterator[None]:
    conf.ARTIFACTS.mkdir(parents=True, exist_ok=True)
    with open(conf.ARTIFACTS / f"{work}.lock", "w") as file:
        if not locks.lock(file, locks.LOCK_EX | locks.LOCK_NB):
            raise TrainingError(_BUSY)
        try:
            yield
        finally:
            locks.unlock(file)


_DATABASE_LOCKS: dict[str, Callable[[BaseDatabaseWrapper, str], AbstractContextManager[None]]] = {
    "mysql": _mysql_lock,
    "postgresql": _postgresql_lock,
}
