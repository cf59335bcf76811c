"""What the shop sells, and the habits of its customers."""

import random
from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from .models import Order, OrderLine, Product

CUSTOMERS, WEEKS, AISLES, PER_AISLE = 60, 12, 4, 6
PAIRS = {
    "Spaghetti": ("2.00", "Food > Pasta"),
    "Best spaghetti": ("2.60", "Food > Pasta"),
    "Tomato sauce": ("3.00", "Food > Sauce"),
    "Soap": ("1.00", "Home > Soap"),
    "Sponge": ("1.00", "Home > Sponges"),
}


def stock_the_shop() -> list[str]:
    """Sauce goes with spaghetti and sponges with soap; each week every customer buys a staple of their own.

    Returns the titles of these staples by customer.
    """
    chance = random.Random(0)
    staples = [
        (f"Good {aisle}-{place}", f"Market > Aisle {aisle}") for aisle in range(AISLES) for place in range(PER_AISLE)
    ]
    rows = [(title, price, category) for title, (price, category) in PAIRS.items()]
    rows += [(title, "4.00", category) for title, category in staples]
    Product.objects.bulk_create(Product(title=title, price=price, category=category) for title, price, category in rows)
    products = {product.title: product for product in Product.objects.all()}
    own = [chance.choice(staples)[0] for _ in range(CUSTOMERS)]
    start = timezone.now() - timedelta(weeks=WEEKS)
    for number, staple in enumerate(own):
        user = User.objects.create(username=f"customer-{number}")
        for week in range(WEEKS):
            basket = {staple, chance.choice(staples)[0]}
            if week == number % WEEKS:
                basket |= [{"Spaghetti", "Tomato sauce"}, {"Soap", "Sponge"}, {"Best spaghetti"}][number % 3]
            order = Order.objects.create(user=user, placed=start + timedelta(weeks=week, hours=number))
            OrderLine.objects.bulk_create(
                OrderLine(order=order, product=products[title], price=products[title].price) for title in sorted(basket)
            )
    return own
