"""Queries that run often or with many rows: INSERTs by the hundred thousand, and SELECTs that are compiled once."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar, cast

from django.conf import settings
from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.constants import OnConflict
from django.db.models.sql.compiler import SQLCompiler
from django.db.transaction import atomic
from django.utils import timezone

CHUNK_ROWS = 10_000
# Values in one `IN (…)`, well under SQLite's 32,766 parameters.
MAX_LOOKUP_IDS = 5_000
MAX_MONEY = Decimal("9999999999.99")
CENT = Decimal("0.01")

T = TypeVar("T")


@contextmanager
def gc_paused() -> Iterator[None]:
    """Without Python's cycle collector, which would walk a million new rows again and again and find nothing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def bulk_insert(model: type[models.Model], fields: Sequence[str], rows: list[Any], *, ignore: bool = False) -> int:
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


def chunks(rows: Iterable[T], size: int = CHUNK_ROWS) -> Iterator[list[T]]:
    """``rows`` in lists of at most ``size``."""
    iterator = iter(rows)
    while chunk := list(islice(iterator, size)):
        yield chunk


def iterate_by_key(rows: models.QuerySet[Any], size: int = CHUNK_ROWS) -> Iterator[Any]:
    """The model instances of ``rows`` in the order of their keys, read ``size`` at a time.

    Nothing stays open between two readings, for who writes what is read: on SQLite a connection that still reads has
    its writes refused at once after another connection wrote; on MySQL the whole result would be held in memory.
    """
    rows = rows.order_by("pk")
    read = list(rows[:size])
    while read:
        yield from read
        read = list(rows.filter(pk__gt=read[-1].pk)[:size]) if len(read) == size else []


def storable(text: str) -> str:
    """``text`` as every database can hold it: without NULs, which PostgreSQL refuses, and with "?" for half characters
    (lone surrogates), which have no bytes."""
    return text.replace("\0", "").encode(errors="replace").decode()


def to_aware(moment: datetime) -> datetime:
    """``moment`` with a time zone: one without is taken to be in the project's own."""
    return timezone.make_aware(moment, timezone.get_default_timezone()) if timezone.is_naive(moment) else moment


def to_db_time(moment: datetime) -> datetime:
    """``moment`` as a DateTimeField of this project takes it: naive where ``USE_TZ`` is off."""
    moment = to_aware(moment)
    return moment if settings.USE_TZ else timezone.make_naive(moment, timezone.get_default_timezone())


class DriverValues:
    """Turns values into the form one model's database driver takes, remembering the latest times and prices.

    The lines of an order share their time, and a shop has far fewer prices than sales.
    """

    MAX_CACHED = 200_000

    def __init__(self, model: type[models.Model]) -> None:
        self._ops = connections[router.db_for_write(model)].ops
        self._times: dict[datetime, Any] = {}
        self._prices: dict[Decimal, tuple[Decimal, Any]] = {}

    def time(self, moment: datetime) -> Any:
        """A time for a DateTimeField, in what the driver takes; a naive one is in the default time zone."""
        if moment not in self._times:
            if len(self._times) > self.MAX_CACHED:
                self._times.clear()
            self._times[moment] = self._ops.adapt_datetimefield_value(to_db_time(moment))
        return self._times[moment]

    def json(self, value: Any) -> Any:
        """A JSON-ready value for a JSONField, in what the driver takes."""
        return self._ops.adapt_json_value(value, None)

    def price(self, price: Decimal | None) -> Any:
        """Money as a column of 12 digits takes it; more than that holds as much as it can."""
        return None if price is None else self._price(price)[1]

    def cents(self, price: Decimal | None) -> Decimal | None:
        """Money as such a column gives it back."""
        return None if price is None else self._price(price)[0]

    def _price(self, price: Decimal) -> tuple[Decimal, Any]:
        if price not in self._prices:
            if len(self._prices) > self.MAX_CACHED:
                self._prices.clear()
            # Rounded here, for databases do not agree on halves of a cent.
            cents = max(min(price, MAX_MONEY), -MAX_MONEY).quantize(CENT)
            self._prices[price] = cents, self._ops.adapt_decimalfield_value(cents, 12, 2)
        return self._prices[price]


@contextmanager
def savepoints() -> Iterator[None]:
    """Keep a query that fails inside from spoiling the transactions that the host has open, as it does on PostgreSQL.

    It costs nothing outside of a transaction, nor on databases that go on after an error.
    """
    with ExitStack() as stack:
        for connection in connections.all(initialized_only=True):
            if connection.in_atomic_block and connection.vendor == "postgresql":
                stack.enter_context(atomic(using=connection.alias))
        yield


class _DialectFunc(models.Func):
    """A function of one column that databases write differently.

    templates: SQL by the database's `vendor`
    """

    arity = 1
    templates: Mapping[str, str]

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, *_: Any, **context: Any) -> Any:
        return super().as_sql(compiler, connection, template=self.templates[connection.vendor], **context)


class Double(_DialectFunc):
    """A decimal as a binary float, which every driver hands over as it is: a Decimal for each row takes far longer."""

    output_field = models.FloatField()
    templates = {
        "sqlite": "%(expressions)s * 1e0",
        "mysql": "%(expressions)s * 1e0",
        "postgresql": "CAST(%(expressions)s AS double precision)",
    }


class TimeText(_DialectFunc):
    """A time as text such as "2017-03-01 12:00:00.5", in the connection's time zone; no datetime is made for a row."""

    output_field = models.TextField()
    templates = {
        "sqlite": "CAST(%(expressions)s AS text)",
        "mysql": "CAST(%(expressions)s AS char)",
        # A cast would follow the server's DateStyle.
        "postgresql": "to_char(%(expressions)s, 'YYYY-MM-DD HH24:MI:SS.US')",
    }


class PreparedQuery:
    """A SELECT whose SQL is compiled once for each shape, since Django takes longer to put it together than to run it.

    build: makes the queryset of a shape, with stand-ins (texts or times that no real value equals) in the place of what
        changes from call to call.
    shapes: how many compiled queries are kept.
    """

    def __init__(
        self, model: type[models.Model], build: Callable[..., models.QuerySet[Any, Any]], shapes: int = 64
    ) -> None:
        self._model = model
        self._build = build
        self._compiled = lru_cache(maxsize=shapes)(self._compile)

    def rows(self, values: Mapping[str | datetime, str | datetime], **shape: int) -> Sequence[tuple[Any, ...]]:
        """The rows of ``build(**shape)``, with each stand-in of ``values`` replaced by its value."""
        using = router.db_for_read(self._model)
        connection = connections[using]
        sql, parameters = self._compiled(using, connection.vendor, **shape)

        def to_driver(value: str | datetime) -> Any:
            return value if isinstance(value, str) else connection.ops.adapt_datetimefield_value(to_db_time(value))

        actual = {to_driver(stand_in): to_driver(value) for stand_in, value in values.items()}
        with connection.cursor() as cursor:
            cursor.execute(sql, [actual.get(parameter, parameter) for parameter in parameters])
            return cursor.fetchall()

    def _compile(self, using: str, vendor: str, **shape: int) -> tuple[str, tuple[Any, ...]]:
        """``vendor``: a test may put another database under the same name."""
        return self._build(**shape).using(using).query.get_compiler(using).as_sql()
