"""What one row of a file tells: an event, or why there is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple

from ...catalog.guests import guest_hash
from ...conf import conf
from ...errors import DataError
from ...models import Kind
from ..validation import clean_item, clean_order, clean_price, clean_quantity, clean_rating, clean_time
from .formats.spec import EVENT_COLUMNS, MORE_EVENT_COLUMNS, Format, Picker
from .stored_lines import FROM_ORDERS

REQUIRED = ("event", "item", "time")
NAMES = (*EVENT_COLUMNS, *MORE_EVENT_COLUMNS)
KINDS = frozenset(Kind.values) - {Kind.RETURN.value}
# Different texts of one column that are remembered with their values.
MOST_TEXTS = 500_000


class EventRow(NamedTuple):
    """One valid row of the file.

    line: its number in the file, starting at 1
    cells: its texts as read
    digest: of what it says, or of the order line that it names
    visitor: a user name or any other name of a visitor
    guest: of a customer known by e-mail address alone, the hash of it
    cancelled: whether the order was cancelled
    The other fields are those of Event; a refund may be of an earlier purchase.
    """

    line: int
    cells: list[str]
    digest: str
    kind: str
    visitor: str
    guest: str
    item: str
    quantity: int | Decimal
    price: Decimal | None
    time: datetime
    basket: str
    session: str
    rating: float | None
    cancelled: bool


class RowReader:
    """Reads the events that the rows of one file tell.

    with_purchases: whether purchases and refunds are wanted as well
    """

    def __init__(self, format: Format, header: list[str], *, with_purchases: bool) -> None:
        """Raises DataError if a required column is missing."""
        self._format = format
        self._with_purchases = with_purchases
        self._picker = Picker(format, header, NAMES, REQUIRED)
        self._glance = Picker(replace(format, carried=()), header, NAMES, REQUIRED)
        self._notation = format.notation
        self._in_base_currency = conf.CATALOG().in_base_currency
        self._times: dict[str, datetime] = {}
        self._prices: dict[str, tuple[Decimal | None, str]] = {}
        self._quantities: dict[str, tuple[int | Decimal, bool]] = {}
        self._guests: dict[str, str] = {}

    def looks_like_row(self, cells: list[str]) -> bool:
        """Whether these cells, as many as the header has, tell an event."""
        picked = self._glance.pick(cells)
        if picked is None:
            return False
        told = dict(zip(NAMES, picked, strict=True))
        try:
            if told["time"] or "time" not in self._format.carried:
                self._notation.time(told["time"])
            self._notation.price(told["price"])
            self._notation.quantity(told["quantity"])
        except DataError:
            return False
        return bool(told["item"]) and self._kind(told["event"]) is not None

    def read(self, line: int, cells: list[str]) -> EventRow | str:
        """The event of a row, or why it tells none that is imported: the name of a field of FileReport.

        Raises DataError for an invalid row.
        """
        picked = self._picker.pick(cells)
        if picked is None:
            return "other"
        event, visitor, item, quantity, price, time, basket, session, rating, email, number, total, currency = picked
        kind = self._kind(event)
        if kind is None:
            raise DataError(f"unknown event {event!r}")
        if not kind:
            return "other"
        if kind in FROM_ORDERS and not self._with_purchases:
            return "purchases"
        clean_order(basket, session)
        if time not in self._times:
            _remember(self._times, time, clean_time(self._notation.time(time)))
        if quantity not in self._quantities:
            _remember(self._quantities, quantity, self._quantity(quantity))
        amount, negative = self._quantities[quantity]
        if negative:
            if kind not in FROM_ORDERS:
                raise DataError(f"quantity {quantity} is not a number above 0")
            kind = Kind.REFUND.value
        identity = [basket, number, item] if number and basket else [*picked[: len(EVENT_COLUMNS)], total]
        return EventRow(
            line=line,
            cells=cells,
            digest=blake2b("\0".join(identity).encode(), digest_size=16).hexdigest(),
            kind=kind,
            visitor=visitor,
            guest="" if visitor or not email else self._guest(email),
            item=clean_item(item),
            quantity=amount,
            price=self._price(price, total, amount, currency, self._times[time]),
            time=self._times[time],
            basket=basket,
            session=session,
            rating=clean_rating(rating),
            cancelled=self._picker.is_cancelled,
        )

    def _kind(self, event: str) -> str | None:
        """Our kind of an event, empty for one that is not imported, None for an unknown one."""
        if self._format.events:
            return self._format.events.get(event.lower(), self._format.events.get("*"))
        return event if event in KINDS else None

    def _quantity(self, text: str) -> tuple[int | Decimal, bool]:
        """A quantity above 0, and whether it is one that came back."""
        number = self._notation.quantity(text)
        if number is None:
            return 1, False
        return clean_quantity(abs(number) if number else number), number < 0

    def _price(self, text: str, total: str, quantity: int | Decimal, currency: str, time: datetime) -> Decimal | None:
        """The price of one piece in the base currency."""
        if not text and total:
            whole, told = self._notation.price(total)
            price = clean_price(None if whole is None else abs(whole) / quantity)
        else:
            if text not in self._prices:
                amount, told = self._notation.price(text)
                _remember(self._prices, text, (clean_price(amount), told))
            price, told = self._prices[text]
        if price is None or not (currency or told):
            return price
        return clean_price(self._in_base_currency(price, currency or told, time))

    def _guest(self, email: str) -> str:
        if email not in self._guests:
            _remember(self._guests, email, guest_hash(email))
        return self._guests[email]


def _remember(values: dict[str, Any], text: str, value: Any) -> None:
    if len(values) > MOST_TEXTS:
        values.clear()
    values[text] = value
