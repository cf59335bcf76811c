"""Formats of the files that shops have, one module each; a file is recognised by its header, or its format is named."""

from __future__ import annotations

from pathlib import Path

from ....errors import DataError
from ..delimited import HEAD_BYTES, DelimitedTable
from . import ga4, google_merchant, olist, online_retail, rees46, retailrocket, shopify, woocommerce
from .mapping import mapped
from .spec import EVENTS, ITEMS, Format, Table

FORMATS = (
    EVENTS,
    ITEMS,
    shopify.ORDERS,
    shopify.PRODUCTS,
    woocommerce.ORDERS,
    woocommerce.ORDER_LINES,
    woocommerce.PRODUCTS,
    google_merchant.FORMAT,
    ga4.FORMAT,
    retailrocket.FORMAT,
    rees46.FORMAT,
    online_retail.FORMAT,
    olist.FORMAT,
)
NAMES = [format.name for format in FORMATS]


def open_file(
    path: Path, default: Format, name: str = "", encoding: str = "", mapping: Path | None = None
) -> tuple[Table, Format]:
    """A file and its format: the one of this name, or that which its header tells, or ``default``.

    mapping: a file that says what differs from the format.
    Raises DataError if the file is of no use in this format, and OSError.
    """
    format = next((known for known in FORMATS if known.name == name), None)
    if name and format is None:
        raise DataError(f"There is no format {name!r}. Known are {', '.join(NAMES)}.")
    table: Table
    if _begins_with(path, b"<") or _begins_with(path, b"{"):
        format = format or (google_merchant.FORMAT if _begins_with(path, b"<") else ga4.FORMAT)
        if format.open is None:
            raise DataError(f"{path} is XML or JSON, which is no form of {format.label}.")
        table = format.open(path, encoding)
    else:
        table = DelimitedTable(path, encoding)
        if format is None and mapping is None:
            format = next((known for known in FORMATS if known.fits(table.header)), None)
    format = format or default
    return table, mapped(format, mapping) if mapping else format


def _begins_with(path: Path, mark: bytes) -> bool:
    with path.open("rb") as file:
        # Without byte order marks, and the NULs of UTF-16.
        return file.read(HEAD_BYTES).lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith(mark)
