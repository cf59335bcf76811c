"""Order items of the Olist data set. They name no customer, and of the times only that by which to ship."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from ..cells import Notation
from .spec import Format

FORMAT = Format(
    name="olist",
    label="order items of Olist",
    signature=("order id", "order item id", "product id", "shipping limit date"),
    columns={
        "basket": ("order id",),
        "line": ("order item id",),
        "item": ("product id",),
        "price": ("price",),
        "time": ("shipping limit date",),
    },
    constants={"event": "purchase", "currency": "BRL"},
    notation=Notation(decimal=".", zone=ZoneInfo("America/Sao_Paulo")),
)
