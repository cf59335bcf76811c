"""events.csv into the shop's customers, orders and reviews; what else happened is set aside for the recommendations."""

import csv
import hashlib
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, TextIO

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Avg, OuterRef, Subquery
from django.utils import timezone

from ..models import Order, OrderLine, Product, Review
from .bulk import chunks, count_sold, first_free_key, insert
from .csv_files import BadRowError, CsvFile, moment, quantity, rating

REQUIRED = ("event", "item", "time")
BEHAVIOUR = {"view_item", "add_to_cart", "remove_from_cart", "review", "view_item_list", "select_item"}
KINDS = BEHAVIOUR | {"purchase", "refund"}


class Line(NamedTuple):
    """One purchased line."""

    order: str
    visitor: str
    item: str
    quantity: int
    price: Decimal
    time: datetime


@dataclass
class EventReport:
    customers: int = 0
    orders: int = 0
    lines: int = 0
    refunds: int = 0
    reviews: int = 0


@dataclass
class Gathered:
    """What a reading of the file found."""

    visitors: set[str] = field(default_factory=set)
    lines: list[Line] = field(default_factory=list)
    # By basket and item, the rows that take pieces back: line number, pieces and cells.
    refunds: dict[tuple[str, str], list[tuple[int, int, list[str]]]] = field(default_factory=dict)
    reviews: dict[tuple[str, str], tuple[datetime, int]] = field(default_factory=dict)
    # Line numbers in the file of the rows set aside.
    set_aside: array = field(default_factory=lambda: array("q"))


class EventReader:
    """Reads the file once; rows that are neither orders nor reviews are copied to ``aside``."""

    def __init__(self, file: CsvFile, aside: TextIO) -> None:
        self.file = file
        self.found = Gathered()
        self._aside = csv.writer(aside)
        self._aside.writerow(file.columns)
        self._products = dict(Product.objects.order_by().values_list("sku", "price"))
        self._times: dict[str, datetime] = {}
        self._owners: dict[str, str] = {}
        self._guests: Counter[str] = Counter()

    def read(self, progress: Any) -> Gathered:
        for line, cells in progress(self.file.rows()):
            try:
                self._row(line, cells)
            except BadRowError as error:
                self.file.reject(line, str(error), cells)
        return self.found

    def _row(self, line: int, cells: list[str]) -> None:
        event, visitor, item, pieces_text, price_text, time_text, basket, session, rating_text = cells
        if event not in KINDS:
            raise BadRowError(f"unknown event {event!r}; known are {', '.join(sorted(KINDS))}")
        if item not in self._products:
            raise BadRowError(f"the shop has no item {item!r}" if item else "item is missing")
        if len(visitor) > 150 or len(basket) > 64 or len(session) > 64:
            raise BadRowError("visitor has at most 150 characters, basket and session 64")
        pieces, unit_price, stars = quantity(pieces_text), self.file.price(price_text), rating(rating_text)
        time = self._times.get(time_text) or self._times.setdefault(time_text, moment(time_text))
        if event == "purchase":
            self._purchase(
                Line(basket or self._number(cells), visitor, item, pieces, self._paid(item, unit_price), time)
            )
        elif event == "refund":
            self._refund(line, cells, basket, item, pieces)
        elif event == "review" and visitor and stars:
            self._review(visitor, item, time, max(1, round(stars)))
        else:
            self._aside.writerow(cells)
            self.found.set_aside.append(line)
        if visitor:
            self.found.visitors.add(visitor)

    def _purchase(self, bought: Line) -> None:
        if self._owners.setdefault(bought.order, bought.visitor) != bought.visitor:
            raise BadRowError(f"basket {bought.order!r} belongs to another visitor")
        self.found.lines.append(bought)

    def _paid(self, item: str, given: Decimal | None) -> Decimal:
        paid = self._products[item] if given is None else given
        if paid is None:
            raise BadRowError("price is missing, and the item has none either")
        return paid

    def _refund(self, line: int, cells: list[str], basket: str, item: str, pieces: int) -> None:
        if not basket:
            raise BadRowError("a refund needs the basket of its purchase")
        self.found.refunds.setdefault((basket, item), []).append((line, pieces, cells))

    def _review(self, visitor: str, item: str, time: datetime, stars: int) -> None:
        """A customer's last word on a product counts."""
        before = self.found.reviews.get((visitor, item))
        if before is None or before[0] <= time:
            self.found.reviews[visitor, item] = (time, stars)

    def _number(self, cells: list[str]) -> str:
        """A lasting order number where the file has none: what one visitor buys at one moment is one order."""
        _, visitor, *_, time, _, session, _ = cells
        name = "\0".join((visitor, time, session) if visitor else cells)
        digest = hashlib.blake2b(name.encode(), digest_size=10).hexdigest()
        if visitor:
            return f"file-{digest}"
        self._guests[digest] += 1
        return f"file-{digest}-{self._guests[digest]}"


class EventWriter:
    """Writes what was gathered, leaving what is there already; meant to run inside one transaction."""

    def __init__(self, found: Gathered, file: CsvFile) -> None:
        self.found = found
        self.file = file
        self.now = connection.ops.adapt_datetimefield_value(timezone.now())

    def write(self, progress: Any) -> EventReport:
        customers = self._customers()
        self.users = dict(User.objects.order_by().values_list("username", "pk"))
        self.products = {
            sku: (pk, sku, title) for pk, sku, title in Product.objects.order_by().values_list("pk", "sku", "title")
        }
        orders = self._orders()
        lines = self._lines(progress)
        refunds = self._refunds()
        if lines or refunds:
            count_sold()
        return EventReport(customers, orders, lines, refunds, self._reviews())

    def _customers(self) -> int:
        known = set(User.objects.order_by().values_list("username", flat=True))
        new = (User(username=name, password=make_password(None)) for name in sorted(self.found.visitors - known))
        return sum(len(User.objects.bulk_create(chunk)) for chunk in chunks(new, 5000))

    def _orders(self) -> int:
        self.orders = dict(Order.objects.order_by().values_list("number", "pk"))
        self.old_orders = set(self.orders.values())
        rows = []
        key = first_free_key(Order)
        for line in self.found.lines:
            if line.order not in self.orders:
                self.orders[line.order] = key
                user = self.users[line.visitor] if line.visitor else None
                placed = connection.ops.adapt_datetimefield_value(line.time)
                rows.append((key, line.order, user, "", "", "", Order.Status.PAID.value, placed, self.now))
                key += 1
        columns = ["id", "number", "user_id", "email", "name", "address", "status", "placed", "updated"]
        return insert(Order, columns, rows)

    def _lines(self, progress: Any) -> int:
        columns = ["id", "order_id", "product_id", "sku", "title", "quantity", "unit_price", "refunded"]
        return insert(OrderLine, columns, progress(self._line_rows()))

    def _line_rows(self) -> Iterator[tuple[Any, ...]]:
        """Lines not yet in their order: one that was refused in an earlier run may have been mended since."""
        there = Counter(OrderLine.objects.order_by().values_list("order_id", "sku").iterator(chunk_size=20_000))
        grown = set()
        for key, line in enumerate(self.found.lines, first_free_key(OrderLine)):
            order = self.orders[line.order]
            if order in self.old_orders:
                if there[order, line.item] > 0:
                    there[order, line.item] -= 1
                    continue
                grown.add(order)
            yield key, order, *self.products[line.item], line.quantity, str(line.price), 0
        for some in chunks(grown, 500):
            Order.objects.filter(pk__in=some).update(updated=timezone.now())

    def _refunds(self) -> int:
        changed = 0
        for (number, sku), rows in self.found.refunds.items():
            bought = list(OrderLine.objects.filter(order__number=number, sku=sku).order_by("pk"))
            pieces = sum(row[1] for row in rows)
            if pieces > sum(row.quantity for row in bought):
                reason = f"basket {number!r} has fewer than {pieces} of item {sku!r} to give back"
                for line, _, cells in rows:
                    self.file.reject(line, reason, cells)
                continue
            for row in bought:
                back = min(pieces, row.quantity)
                pieces -= back
                if row.refunded != back:
                    OrderLine.objects.filter(pk=row.pk).update(refunded=back)
                    Order.objects.filter(pk=row.order_id).update(updated=timezone.now())
                    changed += 1
        return changed

    def _reviews(self) -> int:
        known = set(Review.objects.order_by().values_list("user__username", "product__sku"))
        new = [
            Review(user_id=self.users[visitor], product_id=self.products[item][0], rating=stars, created=time)
            for (visitor, item), (time, stars) in self.found.reviews.items()
            if (visitor, item) not in known
        ]
        Review.objects.bulk_create(new, batch_size=2000)
        if new:
            mean = (
                Review.objects.filter(product=OuterRef("pk")).order_by().values("product").annotate(mean=Avg("rating"))
            )
            Product.objects.filter(rating=None, reviews__isnull=False).update(rating=Subquery(mean.values("mean")))
        return len(new)
