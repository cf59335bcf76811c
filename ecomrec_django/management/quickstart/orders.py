"""Where a shop keeps what it has sold: guesses of the models of orders and their lines, and of their columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db import DatabaseError, models

from .fields import (
    MOMENT,
    NUMBER,
    TEXT,
    WHOLE,
    YES_NO,
    Guess,
    Path,
    column,
    columns,
    end_of,
    find,
    foreign_keys,
    is_optional,
    leads_to,
    path_to,
    path_to_user,
    words,
)
from .product import in_minor_units, plain

SOLD = {"order", "orders", "purchase", "sale", "sales", "invoice", "checkout", "transaction", "booking"}
LINE = {"item", "line", "detail", "position", "entry", "row", "product"}
# Models that have products in them and were not sold.
UNSOLD = {
    "cart",
    "basket",
    "bag",
    "wish",
    "wishlist",
    "favorite",
    "favourite",
    "review",
    "rating",
    "comparison",
    "stock",
}
QUANTITIES = ("quantity", "qty", "count", "pieces", "units", "number", "amount")
UNIT_PRICES = ("unit_price", "price", "price_each", "item_price", "unit_cost", "price_paid", "amount")
TOTALS = ("line_total", "total", "total_price", "subtotal", "line_price")
REFUNDED = ("refunded", "returned", "refunded_quantity", "returned_quantity", "quantity_refunded", "cancelled_quantity")
TIMES = (
    *("placed_at", "date_placed", "placed", "placed_on", "ordered_at", "order_date", "date_ordered", "ordered_on"),
    *("purchased_at", "submitted_at", "paid_at", "completed_at", "created_at", "date_created", "created", "created_on"),
    *("date", "timestamp", "time"),
)
CHANGES = ("updated_at", "updated", "modified_at", "modified", "changed_at", "changed", "last_modified", "date_updated")
STATES = ("status", "state", "order_status", "payment_status")
CANCELLED = re.compile(r"cancel|refund|return|void|revok|reject|declin|fail|annul|storn")
IN_PART = re.compile(r"part|pending|request")
UNFINISHED = re.compile(r"basket|cart|draft|abandon|incomplete|wishlist")
UNPAID = re.compile(r"pend|unpaid|await|hold|open|new|creat")
CANCELLED_FLAGS = ("cancelled", "is_cancelled", "canceled", "is_canceled", "refunded", "is_refunded")
CANCELLED_TIMES = ("cancelled_at", "canceled_at", "refunded_at")
SOLD_FLAGS = ("paid", "is_paid", "ordered", "is_ordered", "completed", "is_completed", "is_complete", "placed")
CURRENCIES = ("currency", "currency_code")
# Values of a status column that are looked at.
MOST_VALUES = 50


@dataclass(frozen=True, kw_only=True)
class StateGuess:
    """A column that tells what became of an order.

    path: from the line
    cancelled, unfinished: its values for orders that were taken back, and for those that were never placed
    doubt: which values may mean that nothing was sold
    """

    path: Path
    cancelled: tuple[Any, ...] = ()
    unfinished: tuple[Any, ...] = ()
    doubt: str = ""


@dataclass(frozen=True, kw_only=True)
class OrderGuess:
    """What the columns of orders and their lines probably mean; all paths start at a line.

    order: () where lines are orders themselves
    product: its last step is the foreign key to the product
    price, total: of one piece, or of the whole line
    user: () for orders without accounts
    changed: () where changes leave no time
    cancelled_flag, cancelled_time, sold_flag: columns of the order
    """

    line_model: type[models.Model]
    order_model: type[models.Model]
    order: Path
    product: Path
    quantity: Guess | None
    price: Guess | None
    total: Guess | None
    user: Path
    time: Guess | None
    changed: str
    state: StateGuess | None
    cancelled_flag: str
    cancelled_time: str
    sold_flag: str
    refunded: Guess | None
    currency: Path
    doubt: str = ""

    @property
    def minor_units(self) -> bool:
        """Whether prices are in cents or the like."""
        price = self.price or self.total
        return price is not None and in_minor_units(price.path)

    def optional(self, path: Path) -> bool:
        """Whether a step of the path may lead nowhere."""
        return bool(path) and is_optional(self.line_model, path)


def guess_orders(
    product: type[models.Model],
    candidates: Iterable[type[models.Model]],
    order: type[models.Model] | None = None,
    line: type[models.Model] | None = None,
) -> OrderGuess | None:
    """How ``candidates`` hold sold products; ``order`` and ``line`` where they are known. None if nothing looks so."""
    lines = [line] if line is not None else [each for each in candidates if _may_be_line(each, product)]
    found = []
    for each in lines:
        path = path_to_product(each, product)
        orders = [order] if order is not None else _orders_of(each)
        reached = [(target, path_to(each, target)) for target in orders]
        found += [
            (_score(each, target, order_path), each, target, order_path)
            for target, order_path in reached
            if path is not None and order_path is not None
        ]
    if not found:
        return None
    found.sort(key=lambda entry: -entry[0])
    score, line_model, order_model, order_path = found[0]
    others = [each.__name__ for points, each, _, _ in found[1:] if points == score and each is not line_model]
    doubt = f"it may be {others[0]} instead" if others else ""
    return _guess(line_model, order_model, order_path, path_to_product(line_model, product) or (), doubt)


def path_to_product(start: type[models.Model], product: type[models.Model]) -> Path | None:
    """The path to the product, directly or by way of a variant."""
    for each in foreign_keys(start):
        if leads_to(each, product):
            return (each.name,)
    for each in foreign_keys(start):
        if not set(words(each.related_model.__name__)) & (SOLD | UNSOLD):
            for step in foreign_keys(each.related_model):
                if leads_to(step, product):
                    return each.name, step.name
    return None


def _may_be_line(model: type[models.Model], product: type[models.Model]) -> bool:
    named = set(words(model.__name__))
    return path_to_product(model, product) is not None and (bool(named & SOLD) or not named & UNSOLD)


def _orders_of(line: type[models.Model]) -> list[type[models.Model]]:
    """The models that lines may belong to, the line itself among them."""
    reached = {line: None}
    for each in foreign_keys(line):
        reached[each.related_model] = None
        reached |= dict.fromkeys(step.related_model for step in foreign_keys(each.related_model))
    return [model for model in reached if _may_be_order(model)]


def _may_be_order(model: type[models.Model]) -> bool:
    named = set(words(model.__name__))
    is_sold = bool(named & SOLD) or not named & UNSOLD
    return is_sold and model is not get_user_model() and find(model, TIMES, MOMENT) is not None


def _score(line: type[models.Model], order: type[models.Model], path: Path) -> int:
    named = set(words(line.__name__))
    return (
        3 * bool(named & SOLD)
        + bool(named & LINE)
        + 3 * bool(set(words(order.__name__)) & SOLD)
        + {1: 3, 2: 1}.get(len(path_to_user(order) or ()), 0)
        + (find(line, QUANTITIES, NUMBER) is not None)
        + (find(line, (*UNIT_PRICES, *TOTALS), NUMBER) is not None)
        # Lines that are orders themselves have no others.
        - (len(path) or 4)
    )


def _guess(line: type[models.Model], order: type[models.Model], path: Path, product: Path, doubt: str) -> OrderGuess:
    price = _unit_price(line)
    user = path_to_user(order)
    return OrderGuess(
        line_model=line,
        order_model=order,
        order=path,
        product=product,
        quantity=find(line, QUANTITIES, NUMBER),
        price=price,
        total=None if price is not None else find(line, TOTALS, NUMBER),
        user=() if user is None else (*path, *user),
        time=_time(order),
        changed=_changed(order),
        state=_state(line, path),
        cancelled_flag=_first(order, CANCELLED_FLAGS, YES_NO),
        cancelled_time=_first(order, CANCELLED_TIMES, MOMENT),
        sold_flag=_first(order, SOLD_FLAGS, YES_NO),
        refunded=find(line, REFUNDED, WHOLE),
        currency=next((steps for steps in _currencies(line, path)), ()),
        doubt=doubt,
    )


def _unit_price(line: type[models.Model]) -> Guess | None:
    money = next((each for each in columns(line) if type(each).__name__ == "MoneyField"), None)
    if money is not None:
        return Guess(f"{money.name}.amount")
    priced = [each for each in columns(line) if isinstance(each, NUMBER) and not set(words(each.name)) & {"total"}]
    minor = [each.name for each in priced if in_minor_units(each.name) and set(words(each.name)) & {"price", "amount"}]
    if minor:
        return Guess(minor[0])
    guess = find(line, UNIT_PRICES, NUMBER)
    if guess is None or "total" in words(guess.path):
        return None
    named = bool({"unit", "each", "item"} & set(words(guess.path)))
    quantity = find(line, QUANTITIES, NUMBER)
    if quantity is not None and quantity.path == guess.path:
        return None
    return Guess(guess.path, guess.doubt if named or not guess.doubt else f"{guess.doubt}: of one piece?")


def _time(order: type[models.Model]) -> Guess | None:
    guess = find(order, TIMES, MOMENT)
    if guess is not None and not guess.doubt:
        return guess
    made = [each.name for each in columns(order) if isinstance(each, MOMENT) and getattr(each, "auto_now_add", False)]
    return Guess(made[0]) if made else guess


def _changed(order: type[models.Model]) -> str:
    for each in columns(order):
        if isinstance(each, models.DateTimeField) and each.auto_now:
            return str(each.name)
    return _first(order, CHANGES, (models.DateTimeField,))


def _first(model: type[models.Model], names: Iterable[str], kinds: tuple[type[Any], ...]) -> str:
    return next((name for name in names if isinstance(column(model, name), kinds)), "")


def _state(line: type[models.Model], order: Path) -> StateGuess | None:
    """The status nearest to the order; that of a line or a part of an order where the order has none."""
    for length in range(len(order), -1, -1):
        path = order[:length]
        model = end_of(line, path).related_model if path else line
        for name in STATES:
            field = column(model, name)
            if field is not None and isinstance(field, (*TEXT, *WHOLE)):
                return _state_values(model, field, (*path, name))
    return None


def _state_values(model: type[models.Model], field: Any, path: Path) -> StateGuess:
    """What the values of a status say, by their labels where there are choices."""
    values = [(plain(value), f"{value} {label}".lower()) for value, label in field.flatchoices]
    if not values:
        values = [(value, str(value).lower()) for value in _stored_values(model, field.name)]
    cancelled = tuple(value for value, text in values if CANCELLED.search(text) and not IN_PART.search(text))
    unfinished = tuple(value for value, text in values if UNFINISHED.search(text))
    unpaid = [str(value) for value, text in values if UNPAID.search(text) and value not in (*cancelled, *unfinished)]
    doubt = f"orders count as sold if they are {', '.join(unpaid)}" if unpaid else ""
    if not values:
        doubt = "which values mean that an order was cancelled, or never placed?"
    return StateGuess(path=path, cancelled=cancelled, unfinished=unfinished, doubt=doubt)


def _stored_values(model: type[models.Model], name: str) -> Sequence[Any]:
    """The values that rows have; none where the table is not there yet."""
    try:
        return list(model._default_manager.order_by().values_list(name, flat=True).distinct()[:MOST_VALUES])
    except DatabaseError:
        return []


def _currencies(line: type[models.Model], order: Path) -> Iterable[Path]:
    for length in range(len(order), -1, -1):
        path = order[:length]
        model = end_of(line, path).related_model if path else line
        yield from ((*path, name) for name in CURRENCIES if isinstance(column(model, name), TEXT))
