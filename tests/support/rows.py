"""All that a shop has in its database, to be stored anew as it was."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.management.color import no_style
from django.db import connection

# What migrations make stays in the database from test to test.
MADE_BY_MIGRATIONS = {"contenttypes.contenttype", "auth.permission", "sites.site"}

# By table: its columns, and their values row by row.
Rows = dict[str, tuple[list[str], list[tuple[Any, ...]]]]


def stored_rows() -> Rows:
    """What every table of the shop and of the package holds."""
    rows: Rows = {}
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            if model._meta.proxy or not model._meta.managed or model._meta.label_lower in MADE_BY_MIGRATIONS:
                continue
            table = model._meta.db_table
            columns = [field.column for field in model._meta.local_concrete_fields]
            cursor.execute(f"SELECT {_names(columns)} FROM {_names([table])}")
            rows[table] = columns, list(cursor.fetchall())
    return {table: (columns, values) for table, (columns, values) in rows.items() if values}


def store_rows(rows: Rows) -> None:
    """Insert them with the keys that they had; the tables are empty."""
    with connection.constraint_checks_disabled(), connection.cursor() as cursor:
        for table, (columns, values) in rows.items():
            places = ", ".join(["%s"] * len(columns))
            cursor.executemany(f"INSERT INTO {_names([table])} ({_names(columns)}) VALUES ({places})", values)
        # The next rows get keys of their own.
        for reset in connection.ops.sequence_reset_sql(no_style(), apps.get_models()):
            cursor.execute(reset)


def _names(names: list[str]) -> str:
    return ", ".join(connection.ops.quote_name(name) for name in names)
