"""What is asked of the database."""

from __future__ import annotations

from django.test.utils import CaptureQueriesContext


def without_savepoints(queries: CaptureQueriesContext) -> list[str]:
    """The SQL of the queries, but not the savepoints by which a block protects an open transaction on PostgreSQL."""
    return [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
