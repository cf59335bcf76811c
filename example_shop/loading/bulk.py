"""Inserting rows by the million: the same INSERT for every row, straight from tuples."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.core.management.color import no_style
from django.db import connection, models
from django.db.models import F, Max, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from ..models import Order, OrderLine, Product

CHUNK = 20_000


def chunks(rows: Iterable[Any], size: int = CHUNK) -> Iterator[list[Any]]:
    rows = iter(rows)
    while chunk := list(islice(rows, size)):
        yield chunk


def first_free_key(model: type[models.Model]) -> int:
    """Where the keys of the next rows can begin; meant for use inside one transaction."""
    return (model._default_manager.aggregate(last=Max("pk"))["last"] or 0) + 1


def insert(model: type[models.Model], columns: list[str], rows: Iterable[tuple[Any, ...]]) -> int:
    """Write the rows, whose values are in the database's own form, and return how many they were."""
    quote = connection.ops.quote_name
    names = ", ".join(map(quote, columns))
    marks = ", ".join(["%s"] * len(columns))
    statement = f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES ({marks})"  # noqa: S608  names are ours
    count = 0
    with connection.cursor() as cursor:
        for chunk in chunks(rows):
            cursor.executemany(statement, chunk)
            count += len(chunk)
        for reset in connection.ops.sequence_reset_sql(no_style(), [model]):
            cursor.execute(reset)
    return count


def count_sold() -> None:
    """Bring ``Product.sold`` up to date with the orders."""
    sold = (
        OrderLine.objects.filter(product=OuterRef("pk"), order__status=Order.Status.PAID)
        .order_by()
        .values("product")
        .annotate(pieces=Sum(F("quantity") - F("refunded")))
        .values("pieces")
    )
    Product.objects.update(sold=Coalesce(Subquery(sold), 0))
