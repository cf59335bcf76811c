"""Field types of our own."""

from __future__ import annotations

from typing import Any

from django.db import models


class ExactCharField(models.CharField):
    """Text compared byte by byte on every database.

    MySQL's default collations hold "abc", "ABC" and "abc " to be the same, which would merge two products of a shop.
    """

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        parameters = super().db_parameters(connection)
        if connection.vendor == "mysql":
            parameters["collation"] = "utf8mb4_bin"
        return parameters
