"""Events of the RetailRocket data set."""

from __future__ import annotations

from .spec import Format

FORMAT = Format(
    name="retailrocket",
    label="events of RetailRocket",
    signature=("timestamp", "visitorid", "event", "itemid"),
    columns={
        "event": ("event",),
        "visitor": ("visitorid",),
        "item": ("itemid",),
        "time": ("timestamp",),
        "basket": ("transactionid",),
    },
    events={"view": "view_item", "addtocart": "add_to_cart", "transaction": "purchase"},
)
