"""The shop of `benchmarks.shoppers` in the database, with the orders of the weeks before it makes offers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User

from example_shop.loading.bulk import count_sold
from example_shop.models import Category, Order, OrderLine, Product

from ._shoppers_plans import Plans
from ._shoppers_world import BRANDS, CATEGORIES, STYLES, TIERS, Visit, World

PASSWORD = "a password of everybody"
STOCK = 1_000_000
BATCH = 2_000


def sku_of(product: int) -> str:
    return f"item-{product}"


def product_of(sku: str) -> int:
    return int(sku.removeprefix("item-"))


def user_of(shopper: int) -> str:
    return f"shopper-{shopper}"


def fill(world: World, plans: Plans) -> None:
    """Products, accounts of members, and an order for each visit of the past that was planned to buy."""
    products = _stock(world)
    password = make_password(PASSWORD)
    members = plans.member.nonzero()[0].tolist()
    User.objects.bulk_create((User(username=user_of(one), password=password) for one in members), BATCH)
    users = dict(User.objects.values_list("username", "pk"))
    bought = [visit for visit in plans.past if visit.plan]
    Order.objects.bulk_create((_order(visit, users) for visit in bought), BATCH)
    orders = dict(Order.objects.values_list("number", "pk"))
    OrderLine.objects.bulk_create(_lines(bought, orders, products), BATCH)
    count_sold()


def _stock(world: World) -> list[Product]:
    for name in CATEGORIES:
        Category.objects.create(name=name, slug=name.lower().replace(" ", "-"))
    shelf = dict(Category.objects.values_list("name", "pk"))
    names, brands, sizes = list(CATEGORIES), list(BRANDS), list(TIERS)
    Product.objects.bulk_create(
        Product(
            sku=sku_of(number),
            title=f"{brands[brand]} {sizes[tier]} {STYLES[style]} {names[category].lower()}",
            category_id=shelf[names[category]],
            brand=brands[brand],
            price=Decimal(str(price)),
            stock=STOCK,
        )
        for number, (category, brand, style, tier, price) in enumerate(
            zip(
                *(column.tolist() for column in (world.category, world.brand, world.style, world.tier, world.price)),
                strict=True,
            )
        )
    )
    return list(Product.objects.in_bulk([sku_of(n) for n in range(len(world.price))], field_name="sku").values())


def _order(visit: Visit, users: dict[str, int]) -> Order:
    return Order(
        number=f"past-{visit.number}",
        user_id=users.get(user_of(visit.shopper)),
        placed=datetime.fromtimestamp(visit.time, UTC),
    )


def _lines(bought: Iterable[Visit], orders: dict[str, int], products: list[Product]) -> Iterable[OrderLine]:
    known = {product_of(product.sku): product for product in products}
    for visit in bought:
        for number in visit.plan:
            product = known[number]
            yield OrderLine(
                order_id=orders[f"past-{visit.number}"],
                product=product,
                sku=product.sku,
                title=product.title,
                unit_price=product.price or Decimal(0),
            )
