"""Events of REES46, which the Open CDP project publishes as well."""

from __future__ import annotations

from ..cells import Notation
from .spec import Format

FORMAT = Format(
    name="rees46",
    label="events of REES46",
    signature=("event time", "event type", "product id", "user id"),
    columns={
        "event": ("event type",),
        "visitor": ("user id",),
        "item": ("product id",),
        "price": ("price",),
        "time": ("event time",),
        "session": ("user session",),
    },
    events={
        "view": "view_item",
        "cart": "add_to_cart",
        "remove_from_cart": "remove_from_cart",
        "purchase": "purchase",
    },
    notation=Notation(decimal="."),
)
