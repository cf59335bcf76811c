"""Files of 200 rows in the formats that shops have, with planted orders, views and totals."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

START = datetime(2024, 3, 1, 8, 30, tzinfo=UTC)
ROWS = 200


@dataclass(frozen=True, kw_only=True)
class Planted:
    """One row of a file.

    n: its number, from 0
    customer, item, order: their names; two rows make an order
    back: whether it gives back what the row before bought
    """

    n: int
    customer: str
    item: str
    order: str
    quantity: int
    price: Decimal
    time: datetime
    back: bool


def planted(mark: str = "") -> list[Planted]:
    """The rows; ``mark`` is part of each item's name."""
    rows: list[Planted] = []
    for n in range(ROWS):
        order = n // 2
        back = n % 20 == 19
        of = rows[-1] if back else None
        rows.append(
            Planted(
                n=n,
                customer=f"c{order % 23}",
                item=of.item if of else f"i{n % 17}{mark}",
                order=f"{'C' if back else 'N'}{1000 + order}",
                quantity=of.quantity if of else 1 + n % 3,
                price=of.price if of else Decimal(n % 17) + Decimal("4.99"),
                time=START + timedelta(hours=order),
                back=back,
            )
        )
    return rows


@dataclass(frozen=True, kw_only=True)
class Sample:
    """How one format writes the planted rows.

    header: its columns
    row: the cells of one row
    kind: of the event of a row; "back" if a row's ``back`` takes something back, "cancelled" if its order is cancelled
    zone: whether times are the planted ones
    """

    header: Sequence[str]
    row: Callable[[Planted], Sequence[Any]]
    kind: Callable[[Planted], str]


def _bought(one: Planted) -> str:
    return "purchase"


def _walk(one: Planted) -> str:
    return ("view_item", "view_item", "add_to_cart", "purchase")[one.n % 4]


SAMPLES = {
    "events": Sample(
        header=("event", "visitor", "item", "quantity", "price", "time", "basket"),
        row=lambda one: (
            "refund" if one.back else "purchase",
            one.customer,
            one.item,
            one.quantity,
            one.price,
            one.time.isoformat(),
            one.order,
        ),
        kind=lambda one: "back" if one.back else "purchase",
    ),
    "shopify-orders": Sample(
        header=(
            *("Name", "Email", "Financial Status", "Currency", "Created at", "Lineitem quantity", "Lineitem name"),
            *("Lineitem price", "Lineitem sku", "Cancelled at"),
        ),
        # Only the first row of an order has what is of the whole order.
        row=lambda one: (
            one.order[1:],
            *(
                (
                    f"{one.customer}@shop.example",
                    "refunded" if one.n % 40 == 0 else "paid",
                    "EUR",
                    f"{one.time:%F %T} +0000",
                )
                if one.n % 2 == 0
                else ("", "", "", "")
            ),
            one.quantity,
            "Some thing",
            one.price,
            one.item,
            "",
        ),
        kind=lambda one: "cancelled" if one.n // 2 % 20 == 0 else "purchase",
    ),
    "woocommerce-orders": Sample(
        header=(
            *("Order Number", "Order Status", "Order Date", "Email (Billing)", "SKU", "Item #", "Item Name"),
            *("Quantity (- Refund)", "Quantity", "Item Cost"),
        ),
        row=lambda one: (
            one.order[1:],
            "Cancelled" if one.n // 2 % 20 == 0 else "Completed",
            f"{one.time:%F %H:%M}",
            f"{one.customer}@shop.example",
            one.item,
            one.n % 2 + 1,
            "Some thing",
            one.quantity,
            one.quantity + 1,
            one.price,
        ),
        kind=lambda one: "cancelled" if one.n // 2 % 20 == 0 else "purchase",
    ),
    "woocommerce-order-lines": Sample(
        header=(
            "order_id",
            "order_number",
            "date",
            "status",
            "item_id",
            "item_sku",
            "item_name",
            "item_quantity",
            "item_total",
        ),
        row=lambda one: (
            one.n // 2,
            one.order[1:],
            f"{one.time:%F %T}",
            "failed" if one.n // 2 % 20 == 0 else "completed",
            one.n,
            one.item,
            "Some thing",
            one.quantity,
            one.price * one.quantity,
        ),
        kind=lambda one: "cancelled" if one.n // 2 % 20 == 0 else "purchase",
    ),
    "retailrocket": Sample(
        header=("timestamp", "visitorid", "event", "itemid", "transactionid"),
        row=lambda one: (
            int(one.time.timestamp() * 1000),
            one.customer,
            {"view_item": "view", "add_to_cart": "addtocart", "purchase": "transaction"}[_walk(one)],
            one.item,
            one.order if _walk(one) == "purchase" else "",
        ),
        kind=_walk,
    ),
    "rees46": Sample(
        header=(
            *("event_time", "event_type", "product_id", "category_id", "category_code", "brand", "price", "user_id"),
            "user_session",
        ),
        row=lambda one: (
            f"{one.time:%F %T} UTC",
            {"view_item": "view", "add_to_cart": "cart", "purchase": "purchase"}[_walk(one)],
            one.item,
            "2053013555631882655",
            "electronics.smartphone",
            "some",
            one.price,
            one.customer,
            f"session-{one.order}",
        ),
        kind=_walk,
    ),
    "online-retail": Sample(
        header=("Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"),
        row=lambda one: (
            one.order,
            one.item,
            "SOME THING",
            -one.quantity if one.back else one.quantity,
            f"{one.time:%F %T}",
            one.price,
            one.customer,
            "United Kingdom",
        ),
        kind=lambda one: "back" if one.back else "purchase",
    ),
    "olist": Sample(
        header=(
            "order_id",
            "order_item_id",
            "product_id",
            "seller_id",
            "shipping_limit_date",
            "price",
            "freight_value",
        ),
        row=lambda one: (one.order, one.n % 2 + 1, one.item, "seller", f"{one.time:%F %T}", one.price, "13.29"),
        kind=_bought,
    ),
}


def write_delimited(
    path: Path, name: str, mark: str = "", encoding: str = "utf-8", delimiter: str = ",", stray: int = -1
) -> list[Planted]:
    """Write a file; ``stray``: number of the row in which a cell opens a quotation mark and never closes it."""
    sample, rows = SAMPLES[name], planted(mark)
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(sample.header)
        for one in rows:
            cells = list(map(str, sample.row(one)))
            if one.n == stray:
                file.write(delimiter.join([cells[0], f'"{cells[1]}', *cells[2:]]) + "\n")
            else:
                writer.writerow(cells)
    return rows


def write_ga4(path: Path) -> list[Planted]:
    """Write a GA4 export: a line an event, every other one with two items."""
    rows = planted()
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps({"event_name": "page_view", "event_timestamp": "1709281800000000"}) + "\n")
        for first, second in zip(rows[::2], rows[1::2], strict=True):
            items = [
                {"item_id": one.item, "quantity": one.quantity, "price": float(one.price), "item_name": "Some thing"}
                for one in (first, second)
            ]
            event = {
                "event_date": f"{first.time:%Y%m%d}",
                "event_timestamp": str(int(first.time.timestamp() * 1_000_000)),
                "event_name": "purchase" if first.n % 4 == 0 else "view_item",
                "user_pseudo_id": first.customer,
                "user_id": None,
                "event_params": [{"key": "ga_session_id", "value": {"string_value": None, "int_value": "77"}}],
                "ecommerce": {"transaction_id": first.order if first.n % 4 == 0 else "(not set)"},
                "items": items,
            }
            file.write(json.dumps(event) + "\n")
    return rows
