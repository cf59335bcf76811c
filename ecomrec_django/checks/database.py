"""Checks of the database, for ``check --database``, ``migrate`` and the doctor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections, router

from ..models import Event

CHARSET, ENGINE = "utf8mb4", "InnoDB"
_TABLES = """
    SELECT table_name, table_collation, engine FROM information_schema.tables
    WHERE table_schema = DATABASE() AND table_name LIKE %s
"""


@register(Tags.database)
def check_database(app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Check the databases that may be asked, as far as they hold the package's tables.

    ecomrec.W040: a character set that cannot hold all texts
    ecomrec.W041: tables without transactions
    ecomrec.E043: a driver that does not count inserted rows
    """
    using = router.db_for_write(Event)
    return list(table_problems(using)) if using in (databases or ()) else []


def table_problems(using: str) -> Iterator[CheckMessage]:
    """What is wrong with the database ``using`` and the package's tables in it."""
    connection = connections[using]
    if connection.vendor == "postgresql":
        from django.db.backends.postgresql import psycopg_any

        if not psycopg_any.is_psycopg3:
            yield Error(
                "psycopg2 does not say how many rows an import added: psycopg 3 is needed.",
                hint='pip install "ecomrec-django[postgres]"; Django prefers it where both are installed.',
                id="ecomrec.E043",
            )
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_encoding")
            (encoding,) = cursor.fetchone()
        if encoding != "UTF8":
            yield _charset_warning(
                f"The database has the encoding {encoding}", "Use a database with the encoding UTF8."
            )
    if connection.vendor != "mysql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@character_set_database")
        (charset,) = cursor.fetchone()
        # "_" stands for any character.
        cursor.execute(_TABLES, [r"ecomrec\_%"])
        tables = cursor.fetchall()
    if not tables and charset != CHARSET:
        hint = f"ALTER DATABASE … CHARACTER SET {CHARSET}, before the tables are made."
        yield _charset_warning(f"The database has the character set {charset}", hint)
    if narrow := [name for name, collation, _ in tables if not str(collation).startswith(CHARSET)]:
        hint = f"ALTER TABLE … CONVERT TO CHARACTER SET {CHARSET}, for each of them."
        yield _charset_warning(f"{', '.join(narrow)} cannot hold all characters", hint)
    if others := [name for name, _, engine in tables if engine != ENGINE]:
        yield Warning(
            f"{', '.join(others)} know no transactions, so that a failed training may leave half of its lists.",
            hint=f"ALTER TABLE … ENGINE = {ENGINE}, for each of them.",
            id="ecomrec.W041",
        )


def _charset_warning(problem: str, hint: str) -> CheckMessage:
    return Warning(f"{problem}, so some texts cannot be stored.", hint=hint, id="ecomrec.W040")
