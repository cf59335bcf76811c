"""The Online Retail data sets of the UCI repository: lines of invoices, with negative quantities for what came back."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from ..cells import Notation
from .spec import Format

FORMAT = Format(
    name="online-retail",
    label="invoices of Online Retail (II)",
    signature=("stockcode", "quantity", "invoicedate", "country"),
    columns={
        "basket": ("invoice", "invoiceno"),
        "item": ("stockcode",),
        "quantity": ("quantity",),
        "price": ("price", "unitprice"),
        "time": ("invoicedate",),
        "visitor": ("customer id", "customerid"),
    },
    constants={"event": "purchase", "currency": "GBP"},
    # The first data set begins with the month.
    notation=Notation(decimal=".", times=("%m/%d/%Y %H:%M",), zone=ZoneInfo("Europe/London")),
)
