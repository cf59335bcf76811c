"""One training at a time, whatever becomes of the process: the database or the system frees the lock of a dead one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

from django.core.files import locks
from django.db import connection

from ..conf import conf
from ..errors import TrainingError

_BUSY = "Another training is running; wait until it has ended, or look at it under Training runs."


@contextmanager
def only_one(work: str = "training") -> Iterator[None]:
    """Hold the lock of a kind of ``work``. Raises TrainingError at once if somebody else does.

    On MySQL the lock belongs to the connection, so that it counts on every machine; elsewhere to a file.
    """
    with _mysql_lock(work) if connection.vendor == "mysql" else _file_lock(work):
        yield


@contextmanager
def _mysql_lock(work: str) -> Iterator[None]:
    database = blake2b(str(connection.settings_dict["NAME"]).encode(), digest_size=16).hexdigest()
    name = f"ecomrec:{work}:{database}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", [name])
        if cursor.fetchone() != (1,):
            raise TrainingError(_BUSY)
    try:
        yield
    finally:
        # A lost connection has lost its lock already.
        if connection.connection is not None and not connection.needs_rollback and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT RELEASE_LOCK(%s)", [name])


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
