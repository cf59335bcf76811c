"""A small example shop with orders from which both strategies learn something."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import User

from example_shop.models import Category, Order, OrderLine, Product

START = datetime(2026, 1, 1, tzinfo=UTC)
# sku: (category, price)
PRODUCTS = {
    "tent": ("Tents", "100.00"),
    "tent-light": ("Tents", "130.00"),
    "tent-storm": ("Tents", "160.00"),
    "pegs": ("Pegs", "9.00"),
    "lamp": ("Lamps", "25.00"),
    "mat": ("Mats", "40.00"),
    "mug": ("Mugs", "6.00"),
    "bowl": ("Bowls", "7.00"),
}


def stock_the_shop() -> None:
    """A camping shop: of 60 customers, 40 buy a tent with pegs, 30 of them a lamp too; the others a mug or a bowl."""
    camping = Category.objects.create(name="Camping", slug="camping")
    for sku, (category, price) in PRODUCTS.items():
        leaf, _ = Category.objects.get_or_create(name=category, slug=category.lower(), parent=camping)
        Product.objects.create(sku=sku, title=f"Trail {sku.replace('-', ' ')}", category=leaf, price=price)
    for number in range(60):
        user = User.objects.create(username=f"customer-{number}")
        bought = ["mug" if number % 2 else "bowl"]
        if number < 40:
            bought = ["tent", "pegs", "lamp"] if number < 30 else ["tent", "pegs"]
        order = Order.objects.create(number=str(number), user=user, placed=START + timedelta(hours=number))
        OrderLine.objects.bulk_create(
            OrderLine(order=order, product=Product.objects.get(sku=sku), sku=sku, unit_price=PRODUCTS[sku][1])
            for sku in bought
        )
