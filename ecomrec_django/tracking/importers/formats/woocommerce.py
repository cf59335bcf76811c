"""WooCommerce: its own export of products, and orders as two widely used plug-ins export them, a row for each line."""

from __future__ import annotations

from .spec import Format

# Never paid, or given back.
CANCELLED = ("cancelled", "refunded", "failed", "pending", "pending payment", "trash")

# Of "Advanced Order Export for WooCommerce".
ORDERS = Format(
    name="woocommerce-orders",
    label="orders of WooCommerce",
    signature=("order number", "order status", "order date", "item cost"),
    columns={
        "basket": ("order number",),
        "line": ("item #",),
        "item": ("sku", "item name"),
        "quantity": ("quantity (- refund)", "quantity"),
        "price": ("item cost",),
        "time": ("order date",),
        "email": ("email (billing)",),
        "currency": ("currency",),
    },
    constants={"event": "purchase"},
    cancelled={"order status": CANCELLED},
    carried=("time", "email", "currency"),
)
# Of "Customer/Order/Coupon Export", one row per item.
ORDER_LINES = Format(
    name="woocommerce-order-lines",
    label="order lines of WooCommerce",
    signature=("order number", "status", "item quantity", "item total"),
    columns={
        "basket": ("order number",),
        "line": ("item id",),
        "item": ("item sku", "item name"),
        "quantity": ("item quantity",),
        "total": ("item total",),
        "time": ("date",),
        "email": ("billing email",),
        "currency": ("order currency",),
    },
    constants={"event": "purchase"},
    cancelled={"status": CANCELLED},
    carried=("time", "email", "currency"),
)
PRODUCTS = Format(
    name="woocommerce-products",
    label="products of WooCommerce",
    signature=("type", "sku", "name", "regular price", "categories"),
    columns={
        "item": ("sku", "id"),
        "title": ("name",),
        "category": ("categories",),
        "brand": ("brands",),
        "price": ("sale price", "regular price"),
        "available": ("in stock?",),
        "description": ("short description", "description"),
    },
    lists={"category": ", "},
    # A product with variations has none itself.
    needed="price",
    items=True,
)
