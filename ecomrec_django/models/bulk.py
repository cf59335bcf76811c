"""Rows by the hundred thousand: one prepared INSERT, no model instances."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any, TypeVar, cast

from django.conf import settings
from django.db import connections, models, router
from django.db.models.constants import OnConflict
from django.utils import timezone

CHUNK = 10_000
# Values in one `IN (…)`, well under SQLite's 32,766 parameters.
LOOKUP = 5_000
MOST_MONEY = Decimal("9999999999.99")

T = TypeVar("T")


@contextmanager
def collector_paused() -> Iterator[None]:
    """Without Python's cycle collector, which would walk a million new rows again and again and find nothing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def insert(model: type[models.Model], fields: Sequence[str], rows: list[Any], *, ignore: bool = False) -> int:
    """Insert ``rows`` (values as the database driver takes them, in the order of ``fields``); returns how many.

    With ``ignore`` a row whose unique key is taken already is passed over. Values must have been checked: MySQL, told
    to ignore, would also cut what is too long.
    """
    if not rows:
        return 0
    using = router.db_for_write(model)
    connection = connections[using]
    quote = connection.ops.quote_name
    columns = [str(cast(models.Field, model._meta.get_field(name)).column) for name in fields]
    conflict = OnConflict.IGNORE if ignore else None
    suffix = connection.ops.on_conflict_suffix_sql(fields, conflict, [], []) if ignore else ""
    sql = (
        f"{connection.ops.insert_statement(on_conflict=conflict)} {quote(model._meta.db_table)} "
        f"({', '.join(map(quote, columns))}) VALUES ({', '.join(['%s'] * len(columns))}) {suffix}"
    )
    with connection.cursor() as cursor:
        cursor.executemany(sql.rstrip(), rows)
        return cursor.rowcount


def chunks(rows: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """``rows`` in lists of at most ``size``."""
    iterator = iter(rows)
    while chunk := list(islice(iterator, size)):
        yield chunk


def by_key(rows: models.QuerySet[Any], size: int = CHUNK) -> Iterator[Any]:
    """The model instances of ``rows`` in the order of their keys, read ``size`` at a time.

    Nothing stays open between two readings, for who writes what is read: on SQLite a connection that still reads has
    its writes refused at once after another connection wrote; on MySQL the whole result would be held in memory.
    """
    rows = rows.order_by("pk")
    read = list(rows[:size])
    while read:
        yield from read
        read = list(rows.filter(pk__gt=read[-1].pk)[:size]) if len(read) == size else []


def aware(moment: datetime) -> datetime:
    """``moment`` with a time zone: one without is taken to be in the project's own."""
    return timezone.make_aware(moment, timezone.get_default_timezone()) if timezone.is_naive(moment) else moment


def storable(moment: datetime) -> datetime:
    """``moment`` as a DateTimeField of this project takes it: naive where ``USE_TZ`` is off."""
    moment = aware(moment)
    return moment if settings.USE_TZ else timezone.make_naive(moment, timezone.get_default_timezone())


class Values:
    """Turns values into the form one model's database driver takes, remembering the latest times and prices.

    The lines of an order share their time, and a shop has far fewer prices than sales.
    """

    REMEMBERED = 200_000

    def __init__(self, model: type[models.Model]) -> None:
        self._ops = connections[router.db_for_write(model)].ops
        self._times: dict[datetime, Any] = {}
        self._prices: dict[Decimal, Any] = {}

    def time(self, moment: datetime) -> Any:
        if moment not in self._times:
            if len(self._times) > self.REMEMBERED:
                self._times.clear()
            self._times[moment] = self._ops.adapt_datetimefield_value(storable(moment))
        return self._times[moment]

    def json(self, value: Any) -> Any:
        return self._ops.adapt_json_value(value, None)

    def price(self, price: Decimal | None) -> Any:
        """Money as a column of 12 digits takes it; more than that holds as much as it can."""
        if price is None:
            return None
        price = max(min(price, MOST_MONEY), -MOST_MONEY)
        if price not in self._prices:
            if len(self._prices) > self.REMEMBERED:
                self._prices.clear()
            self._prices[price] = self._ops.adapt_decimalfield_value(price, 12, 2)
        return self._prices[price]
