"""The methods of an adapter that import orders, as source text."""

from __future__ import annotations

from django.db import models

from .fields import Guess, Path, column, end_of, lookup
from .orders import OrderGuess
from .rates import RatesGuess
from .source import Imports, chained, constants, quoted, todo


def order_methods(orders: OrderGuess | None, imports: Imports, rates: RatesGuess | None) -> list[str]:
    """``purchases`` and what it needs; a TODO where nothing looks like orders."""
    if orders is None:
        return [
            "",
            "# TODO: def purchases(self, since), which yields a PurchaseLine for each line of the shop's orders;",
            "# without it, there are only page views to learn from.",
        ]
    imports.add("ecomrec_django.catalog.adapter", "PurchaseLine")
    imports.add("ecomrec_django.db", "iterate_by_key")
    return [
        *_queries(orders, imports),
        *_purchase_line(orders, imports),
        *(_exchange(rates, imports) if orders.currency else []),
    ]


def _queries(orders: OrderGuess, imports: Imports) -> list[str]:
    model = imports.model(orders.line_model)
    if orders.changed:
        since = [
            "    lines = self._sold_lines()",
            "    if since is not None:",
            f"        lines = lines.filter({lookup(orders.order, orders.changed)}__gte=since)",
            "    return map(self._purchase_line, iterate_by_key(lines))",
        ]
    else:
        since = [
            "    # TODO: filter by the time of the last change if there is one; else each import reads all orders",
            "    return map(self._purchase_line, iterate_by_key(self._sold_lines()))",
        ]
    own = f"{lookup(orders.order)}=order" if orders.order else "pk=order.pk"
    note = [f"# TODO: orders are read from {model}; {orders.doubt}"] if orders.doubt else []
    return [
        "",
        *note,
        "def purchases(self, since):",
        *since,
        "",
        "def order_lines(self, order):",
        f"    return map(self._purchase_line, self._sold_lines().filter({own}))",
        "",
        "def _sold_lines(self):",
        *_sold_lines(orders, model),
    ]


def _sold_lines(orders: OrderGuess, model: str) -> list[str]:
    """The query of the lines that were sold."""
    filters = []
    if orders.time is not None and _may_be_null(orders.order_model, orders.time):
        filters.append(f"{lookup(orders.order, orders.time.path)}__isnull=False")
    if orders.sold_flag:
        filters.append(f"{lookup(orders.order, orders.sold_flag)}=True")
    calls = [f".filter({', '.join(filters)})"] if filters else []
    state = orders.state
    if state is not None and len(state.unfinished) == 1:
        calls.append(f".exclude({lookup(state.path)}={quoted(state.unfinished[0])})")
    elif state is not None and state.unfinished:
        calls.append(f".exclude({lookup(state.path)}__in={constants(state.unfinished)})")
    if joined := _joined(orders):
        calls.append(f".select_related({', '.join(map(quoted, joined))})")
    note = [f"    # TODO: {state.doubt}"] if state is not None and state.doubt else []
    return [*note, *chained(f"{model}.objects", calls or [".all()"], 4)]


def _may_be_null(model: type[models.Model], guess: Guess) -> bool:
    field = column(model, guess.path)
    return field is not None and bool(field.null)


def _joined(orders: OrderGuess) -> list[str]:
    """Relations that each line needs, without those that longer ones name already."""
    needed = {path for path in (orders.order, orders.product[:-1], orders.user[:-1]) if path}
    if orders.state is not None and orders.state.path[:-1]:
        needed.add(orders.state.path[:-1])
    names = {lookup(path) for path in needed}
    return sorted(name for name in names if not any(other.startswith(f"{name}__") for other in names))


def _purchase_line(orders: OrderGuess, imports: Imports) -> list[str]:
    quantity, note = _quantity(orders)
    order = _attribute(orders.order)
    arguments = [
        "line=str(line.pk),",
        f"order=str({_attribute_id(orders, orders.order)}),",
        _user(orders),
        _item(orders),
        f"quantity={quantity},{note}",
        _price(orders, imports),
        _time(orders, order, imports),
        *_refunded(orders, order, quantity),
        *([f"currency={_attribute(orders.currency)},"] if orders.currency else []),
    ]
    return [
        "",
        "def _purchase_line(self, line):",
        "    return PurchaseLine(",
        *(f"        {argument}" for argument in arguments),
        "    )",
    ]


def _attribute(path: Path) -> str:
    return ".".join(("line", *path))


def _attribute_id(orders: OrderGuess, path: Path) -> str:
    """The key that a foreign key holds, without reading its row."""
    if not path:
        return "line.pk"
    return _attribute((*path[:-1], str(end_of(orders.line_model, path).attname)))


def _user(orders: OrderGuess) -> str:
    if not orders.user:
        return "user=None,  # TODO: the primary key of the customer's account, as text"
    account = _attribute_id(orders, orders.user)
    profile = orders.user[:-1]
    if len(orders.user) - len(orders.order) > 1 and orders.optional(profile):
        owner = _attribute(profile)
        return f"user=str({account}) if {owner} and {account} else None,"
    return f"user=str({account}) if {account} else None," if orders.optional(orders.user) else f"user=str({account}),"


def _item(orders: OrderGuess) -> str:
    """What was imported of a line stays if its product is deleted."""
    product, owner = _attribute_id(orders, orders.product), orders.product[:-1]
    known = [_attribute(owner)] if len(owner) > len(orders.order) and orders.optional(owner) else []
    if orders.optional(orders.product):
        known.append(product)
    return f"item=str({product}) if {' and '.join(known)} else None," if known else f"item=str({product}),"


def _quantity(orders: OrderGuess) -> tuple[str, str]:
    if orders.quantity is None:
        return "1", "  # TODO: the number of pieces"
    return f"line.{orders.quantity.path}", todo(orders.quantity.doubt)


def _price(orders: OrderGuess, imports: Imports) -> str:
    guess = orders.price or orders.total
    if guess is None:
        return "price=None,  # TODO: the price of one piece as it was sold"
    value, doubt = f"line.{guess.path}", guess.doubt
    if orders.minor_units:
        imports.add("decimal", "Decimal")
        value = f"Decimal({value}) / 100"
    if orders.price is None:
        quantity = _quantity(orders)[0]
        value = value if quantity == "1" else f"{value} / {quantity}"
    elif isinstance(column(orders.line_model, guess.path), models.IntegerField) and not orders.minor_units:
        doubt = "a whole number: if these are cents, divide by 100"
    return f"price={value},{todo(doubt)}"


def _time(orders: OrderGuess, order: str, imports: Imports) -> str:
    if orders.time is None:
        imports.add("django.utils", "timezone")
        return "time=timezone.now(),  # TODO: when the order was placed"
    value = f"{order}.{orders.time.path}"
    if not isinstance(column(orders.order_model, orders.time.path), models.DateTimeField):
        imports.add("datetime", "datetime", "time")
        value = f"datetime.combine({value}, time(12))"
    return f"time={value},{todo(orders.time.doubt)}"


def _refunded(orders: OrderGuess, order: str, quantity: str) -> list[str]:
    returned = f"line.{orders.refunded.path}" if orders.refunded is not None else "0"
    conditions = []
    state = orders.state
    if state is not None and len(state.cancelled) == 1:
        conditions.append(f"{_attribute(state.path)} == {quoted(state.cancelled[0])}")
    elif state is not None and state.cancelled:
        conditions.append(f"{_attribute(state.path)} in {constants(state.cancelled)}")
    if orders.cancelled_flag:
        conditions.append(f"{order}.{orders.cancelled_flag}")
    if orders.cancelled_time:
        conditions.append(f"{order}.{orders.cancelled_time}")
    if not conditions:
        return [f"refunded={returned},"] if returned != "0" else []
    return [f"refunded={quantity} if {' or '.join(conditions)} else {returned},"]


def _exchange(rates: RatesGuess | None, imports: Imports) -> list[str]:
    if rates is None:
        return [
            "",
            "# TODO: def in_base_currency(self, price, currency, time); until then, prices in other currencies than",
            "# base_currency count as unknown.",
        ]
    model = imports.model(rates.model)
    imports.add("decimal", "Decimal")
    imports.add("functools", "cached_property")
    return [
        "",
        "def in_base_currency(self, price, currency, time):",
        '    if currency in ("", self.base_currency):',
        "        return price",
        "    rate = self._rates.get(currency)",
        f"    # TODO: {rates.model.__name__}.{rates.rate} is taken to be what one unit of the base currency costs",
        '    return None if not rate else (price / Decimal(rate)).quantize(Decimal("0.01"))',
        "",
        "@cached_property",
        "def _rates(self):",
        f'    return dict({model}.objects.values_list("{rates.currency}", "{rates.rate}"))',
    ]
