"""Model field types."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import models


class ExactCharField(models.CharField):
    """Text compared and sorted byte by byte on every database.

    The default collations of MySQL and MariaDB take "abc", "ABC" and "abc " for the same, which would merge products of
    a shop. Those of PostgreSQL sort punctuation behind letters, which would cut ranges of keys short.
    """

    def db_type(self, connection: Any) -> str | None:
        """The column's type."""
        # Django adds an index for LIKE to a "varchar" of PostgreSQL, which this collation makes superfluous.
        kind = super().db_type(connection)
        return kind.replace("varchar", "character varying") if kind and connection.vendor == "postgresql" else kind

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        """The column's parameters, with a binary collation."""
        parameters = super().db_parameters(connection)
        if connection.vendor == "postgresql":
            parameters["collation"] = "C"
        elif connection.vendor == "mysql":
            parameters["collation"] = "utf8mb4_nopad_bin" if connection.mysql_is_mariadb else "utf8mb4_bin"
        return parameters


class QuantityField(models.DecimalField):
    """How much of an item: a number of pieces, or an exact amount of what is sold by weight or length.

    A whole number is read as an int, so that people see "2" and "0.35" rather than "2.0000" and "0.3500".
    """

    DIGITS, PLACES = 14, 4

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"max_digits": self.DIGITS, "decimal_places": self.PLACES, **options})

    def from_db_value(self, value: Any, *_: Any) -> int | Decimal | None:
        """The value as Python code sees it."""
        if value is None:
            return None
        whole = int(value)
        return whole if whole == value else Decimal(value).normalize()
