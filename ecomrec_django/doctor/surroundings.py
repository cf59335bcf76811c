"""The settings and the services: system checks, database, cache, files, Redis and Celery."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.core import checks
from django.core.cache import caches
from django.db import connections, router, transaction
from django.db.migrations.executor import MigrationExecutor

from ..checks.database import table_problems
from ..checks.project import check_cache
from ..conf import conf
from ..failures import message_of
from ..models import Checkpoint, Event
from ..tracking.redis_sink import STREAM, RedisSink, connect
from .findings import Finding, failure, ok, warning

# Letters of one to four bytes in UTF-8.
LETTERS = "aé€𝄞"
# Entries in Redis that a running ecomrec_drain leaves behind now and then.
MAX_WAITING = 10_000
BROKER_SECONDS = 2


def system_checks() -> Iterator[Finding]:
    """The messages of this package's system checks."""
    messages = checks.run_checks(tags=["ecomrec"])
    yield from map(finding_of, messages)
    if not messages:
        yield ok("settings", "the system checks found nothing")


def finding_of(message: checks.CheckMessage) -> Finding:
    """A message of a system check as a finding."""
    make = failure if message.level >= checks.ERROR else warning
    return make(str(message.id), message.msg, message.hint or "")


def database() -> Iterator[Finding]:
    """Version, migrations, character sets, and a row that is written and taken back."""
    using = router.db_for_write(Event)
    connection = connections[using]
    remedy = f'Correct DATABASES["{using}"], or start the database.'
    try:
        connection.ensure_connection()
    except Exception as error:
        yield failure("database", f"it cannot be reached: {message_of(error)}", remedy)
        return
    version = ".".join(map(str, connection.get_database_version()))
    yield ok("database", f"{connection.display_name} {version}")
    executor = MigrationExecutor(connection)
    targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] == "ecomrec"]
    if missing := len(executor.migration_plan(targets)):
        yield failure("migrations", f"{missing} migrations are not applied", "Run manage.py migrate.")
        return
    yield from map(finding_of, table_problems(using))
    yield _written(using)


def _written(using: str) -> Finding:
    name = f"doctor {uuid4().hex} {LETTERS}"
    try:
        with transaction.atomic(using=using):
            Checkpoint.objects.using(using).create(name=name)
            read = Checkpoint.objects.using(using).values_list("name", flat=True).get(name=name)
            transaction.set_rollback(True, using=using)
    except Exception as error:
        remedy = "Give its user the rights to read and write, and tables a character set for all of Unicode."
        return failure("database writes", f"a row cannot be written: {message_of(error)}", remedy)
    if read != name:
        return failure("database writes", f"{name!r} was read as {read!r}", "Use a character set for all of Unicode.")
    return ok("database writes", "a row was written and taken back")


def cache() -> Iterator[Finding]:
    """A value that is stored and read again, and whether processes share it."""
    key, remedy = f"ecomrec:doctor:{uuid4().hex}", f'Correct CACHES["{conf.CACHE}"], or start the cache.'
    try:
        backend = caches[conf.CACHE]
        backend.set(key, "value", 10)
        read = backend.get(key)
        backend.delete(key)
    except Exception as error:
        yield failure("cache", f'"{conf.CACHE}" does not work: {message_of(error)}', remedy)
        return
    messages = [] if settings.DEBUG else check_cache(None)
    yield from map(finding_of, messages)
    if read == "value":
        yield ok("cache", f'"{conf.CACHE}" stores values for {conf.CACHE_SECONDS} seconds')
    elif not messages:
        yield warning(
            "cache", f'"{conf.CACHE}" does not keep what is stored, so each block makes one more query', remedy
        )


def artifacts() -> Iterator[Finding]:
    """Whether history and models can be stored."""
    folder: Path = conf.ARTIFACTS
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        yield ok("artifacts", f"{folder} can be written" if existing == folder else f"{folder} can be created")
    else:
        remedy = 'Let the user of this process write there, or set ECOMREC["ARTIFACTS"] to another folder.'
        yield failure("artifacts", f"{existing} is not a folder that can be written", remedy)


def redis() -> Iterator[Finding]:
    """Events that wait in Redis, where `RedisSink` is used."""
    if not (isinstance(conf.SINK, type) and issubclass(conf.SINK, RedisSink)):
        return
    try:
        waiting = int(connect(1.0).xlen(STREAM))
    except Exception as error:
        remedy = 'Start Redis, or correct ECOMREC["REDIS"]. Meanwhile events go straight to the database.'
        yield failure("redis", f"it does not answer: {message_of(error)}", remedy)
        return
    if waiting > MAX_WAITING:
        yield warning("redis", f"{waiting} events wait", "Keep manage.py ecomrec_drain running.")
    else:
        yield ok("redis", f"{waiting} events wait")


def broker() -> Iterator[Finding]:
    """Whether Celery's broker answers, where one is configured."""
    try:
        from celery import current_app
    except ModuleNotFoundError:
        yield ok("celery", "not installed: the commands run on a schedule of the system, such as cron")
        return
    if not current_app.conf.broker_url:
        yield ok("celery", "no broker is configured: the commands run on a schedule of the system, such as cron")
        return
    # A password is not shown.
    with current_app.connection_for_write(connect_timeout=BROKER_SECONDS) as connection:
        address = connection.as_uri()
        try:
            connection.ensure_connection(max_retries=1, timeout=BROKER_SECONDS)
        except Exception as error:
            message = f"the broker at {address} does not answer: {type(error).__name__}"
            yield failure("celery", message, "Start the broker, or correct CELERY_BROKER_URL.")
        else:
            yield ok("celery", f"the broker at {address} answers")
