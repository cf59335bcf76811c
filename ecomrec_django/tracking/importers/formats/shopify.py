"""Exports of Shopify: orders, with a row for each line, and products, with a row for each variant and picture."""

from __future__ import annotations

from ..cells import Notation
from .spec import Format

POINT = Notation(decimal=".")

ORDERS = Format(
    name="shopify-orders",
    label="orders of Shopify",
    signature=("name", "financial status", "lineitem quantity", "lineitem price"),
    columns={
        "basket": ("name",),
        "item": ("lineitem sku", "lineitem name"),
        "quantity": ("lineitem quantity",),
        "price": ("lineitem price",),
        "time": ("created at",),
        "email": ("email",),
        "currency": ("currency",),
    },
    constants={"event": "purchase"},
    cancelled={"cancelled at": (), "financial status": ("refunded", "voided")},
    carried=("time", "email", "currency"),
    notation=POINT,
)
PRODUCTS = Format(
    name="shopify-products",
    label="products of Shopify",
    signature=("handle", "title", "vendor", "variant price"),
    columns={
        "item": ("variant sku", "handle"),
        "title": ("title",),
        "category": ("product category", "type"),
        "brand": ("vendor",),
        "price": ("variant price",),
        "available": ("status", "published"),
        "description": ("body (html)",),
        "group": ("handle",),
    },
    carried=("title", "category", "brand", "available", "description"),
    group="group",
    # Rows without one hold a further picture.
    needed="price",
    notation=POINT,
    items=True,
)
