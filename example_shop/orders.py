"""Placing and cancelling orders: the only code that moves stock."""

import secrets
from decimal import Decimal

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from .cart import Cart
from .models import Order, OrderLine, Product


class CannotOrderError(Exception):
    """The cart cannot be ordered as it is; the message says why, for the customer to read."""


@transaction.atomic
def place_order(cart: Cart, *, user, name: str, email: str, address: str, total: Decimal) -> Order:
    """Write the order and take its pieces out of stock, wholly or not at all.

    Each stock is taken by a conditional update, so that two customers never buy the same last piece. ``total`` is what
    the customer was shown.

    Raises:
        CannotOrderError: something is out of stock, no longer sold, or costs something else by now.
    """
    # In one order of rows for everybody, so that two checkouts cannot wait for each other.
    lines = sorted(cart.lines, key=lambda line: line.product.pk)
    if not lines:
        raise CannotOrderError("Your cart is empty.")
    for line in lines:
        left = Product.objects.filter(pk=line.product.pk, price=line.product.price, stock__gte=line.quantity)
        if not left.update(stock=F("stock") - line.quantity, sold=F("sold") + line.quantity):
            raise CannotOrderError(_refusal(line.product.pk, line.quantity))
    if cart.total != total:
        raise CannotOrderError("Prices have changed since you saw them. Please look at your cart again.")
    order = Order.objects.create(number=_number(), user=user, name=name, email=email, address=address)
    OrderLine.objects.bulk_create(
        OrderLine(
            order=order,
            product=line.product,
            sku=line.product.sku,
            title=line.product.title,
            quantity=line.quantity,
            unit_price=line.product.price,
        )
        for line in lines
    )
    return order


@transaction.atomic
def cancel_order(order: Order) -> bool:
    """Cancel a paid order and put its pieces back into stock; False if it was already cancelled."""
    paid = Order.objects.filter(pk=order.pk, status=Order.Status.PAID)
    if not paid.update(status=Order.Status.CANCELLED, updated=timezone.now()):
        return False
    for product_id, quantity in order.lines.order_by("product_id").values_list("product_id", "quantity"):
        Product.objects.filter(pk=product_id).update(stock=F("stock") + quantity)
        Product.objects.filter(pk=product_id, sold__gte=quantity).update(sold=F("sold") - quantity)
    order.refresh_from_db()
    return True


def _refusal(pk: int, wanted: int) -> str:
    product = Product.objects.filter(pk=pk).first()
    if product is None:
        return "Something in your cart is no longer sold. Please look at your cart again."
    if product.price is None:
        return f"“{product.title}” is not sold online at the moment. Please remove it from your cart."
    if product.stock == 0:
        return f"“{product.title}” has just sold out. Please remove it from your cart."
    if product.stock < wanted:
        return f"Only {product.stock} of “{product.title}” left. Please order fewer."
    return f"The price of “{product.title}” has changed. Please look at your cart again."


def _number() -> str:
    """Not guessable, and easy to read out on the telephone."""
    alphabet = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
    return f"{timezone.now():%y%m%d}-{''.join(secrets.choice(alphabet) for _ in range(8))}"
