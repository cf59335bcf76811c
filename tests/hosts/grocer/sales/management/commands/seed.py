from datetime import timedelta

from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from accounts.models import Account
from catalogue.models import Department, Product
from sales.models import Order, OrderLine

# Department, maker, label, price in cents.
PRODUCTS = [
    ("Lebensmittel > Nudeln > Spaghetti", "Bella", "Bella Spaghetti 500 g", 149),
    ("Lebensmittel > Nudeln > Spaghetti", "Bella", "Bella Spaghetti aus Urweizen 750 g", 219),
    ("Lebensmittel > Soßen > Tomatensoßen", "Oro", "Oro Tomatensoße 400 ml", 189),
    ("Lebensmittel > Käse > Hartkäse", "Alm", "Alm Hartkäse gerieben 100 g", 249),
    ("Lebensmittel > Backen > Mehl", "Mühle", "Mühle Weizenmehl 1 kg", 99),
    ("Lebensmittel > Eier > Freiland", "", "Zehn Eier", 329),
    ("Haushalt > Spülen > Spülmittel", "Klar", "Klar Spülmittel 500 ml", 119),
    ("Haushalt > Putzen > Schwämme", "Klar", "Klar Schwämme, 5 Stück", 79),
]
BASKETS = [(0, 2, 3), (0, 2), (0, 2, 3), (4, 5), (6, 7), (1,), (1, 3), (0, 3), (4, 5, 6), (6, 7), (0, 2), (1, 2)]


class Command(BaseCommand):
    help = "Fill the shop with a few products and the orders of its customers."

    @transaction.atomic
    def handle(self, *args, **options):
        products = [self.product(number, *row) for number, row in enumerate(PRODUCTS)]
        start = timezone.now() - timedelta(days=60)
        for number in range(96):
            buyer = Account.objects.create(username=f"customer{number}")
            order = Order.objects.create(
                buyer=buyer,
                state="cancelled" if number % 12 == 11 else ["placed", "delivered"][number % 2],
                placed_at=start + timedelta(hours=14 * number),
            )
            for place in BASKETS[number % len(BASKETS)]:
                OrderLine.objects.create(
                    order=order,
                    product=products[place],
                    qty=2,
                    unit_price_cents=products[place].price_cents,
                    refunded_qty=1 if number % 24 == 0 else 0,
                )
        # A basket that nobody has placed, a product that is not listed, and a line whose product is gone.
        basket = Order.objects.create(buyer=buyer)
        OrderLine.objects.create(order=basket, product=products[0], unit_price_cents=149)
        OrderLine.objects.create(order=order, product=None, unit_price_cents=50)
        Product.objects.create(
            ean="0", label="Testartikel", department=products[0].department, price_cents=1, listed=False
        )

    def product(self, number, path, maker, label, price):
        department = None
        for title in path.split(" > "):
            department, _ = Department.objects.get_or_create(title=title, above=department)
        return Product.objects.create(
            ean=f"40000000000{number:02}",
            label=label,
            maker=maker,
            department=department,
            price_cents=price,
            image_url=f"https://pictures.example/{number}.webp",
        )
