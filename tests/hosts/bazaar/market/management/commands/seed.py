from datetime import timedelta
from decimal import Decimal

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from market.models import Category, ExchangeRate, Order, OrderItem, Product, Vendor

# Category, vendor, title in English and in German, price in euros.
PRODUCTS = [
    ("Tea > Green", "Uji Gardens", "Sencha", "Sencha-Tee", "9.00"),
    ("Tea > Green", "Uji Gardens", "Sencha, first harvest", "Sencha-Tee, erste Ernte", "12.00"),
    ("Teaware > Pots", "Anagama", "Clay teapot", "Teekanne aus Ton", "48.00"),
    ("Teaware > Cups", "Anagama", "Two cups", "Zwei Tassen", "18.00"),
    ("Teaware > Strainers", "Tin & Co", "Strainer", "Teesieb", "6.00"),
    ("Coffee > Beans", "Rösterei Nord", "House blend", "Hausmischung", "11.00"),
    ("Coffee > Grinders", "Tin & Co", "Hand grinder", "Handmühle", "64.00"),
]
BASKETS = [(0, 2, 4), (0, 2), (0, 4), (0, 2, 3), (5, 6), (1,), (1, 4), (0, 4), (5, 6), (3,), (0, 2, 4), (2, 3)]
RATES = {"USD": "1.25", "JPY": "160"}


class Command(BaseCommand):
    help = "Fill the bazaar with vendors, products and the orders of customers and guests."

    @transaction.atomic
    def handle(self, *args, **options):
        for currency, rate in RATES.items():
            ExchangeRate.objects.create(currency=currency, rate=rate)
        products = [self.product(number, *row) for number, row in enumerate(PRODUCTS)]
        start = timezone.now() - timedelta(days=80)
        currencies = ["EUR", "USD", "EUR", "JPY"]
        for number in range(96):
            guest = number % 9 == 8
            currency = currencies[number % 4]
            order = Order.objects.create(
                number=f"B{number:05}",
                user=None if guest else User.objects.create(username=f"customer{number}"),
                currency=currency,
                date_placed=start + timedelta(hours=19 * number),
            )
            for place in BASKETS[number % len(BASKETS)]:
                product = products[place]
                part, _ = order.parts.get_or_create(
                    vendor=product.vendor, defaults={"status": "refunded" if number % 12 == 11 else "sent"}
                )
                price = Decimal(product.price) * Decimal(RATES.get(currency, 1))
                OrderItem.objects.create(part=part, product=product, quantity=1 + number % 2, unit_price=price)
        Product.objects.create(
            slug="secret", vendor=products[0].vendor, category=products[0].category, price=1, stock=1, status="draft"
        )
        hourly = IntervalSchedule.objects.create(every=1, period="hours")
        PeriodicTask.objects.create(name="recommendations", task="ecomrec.train", interval=hourly)
        PeriodicTask.objects.create(name="newsletter", task="market.send_newsletter", interval=hourly)

    def product(self, number, path, vendor, english, german, price):
        category = None
        for name in path.split(" > "):
            category, _ = Category.objects.get_or_create(slug=slugify(name), name=name, parent=category)
        product = Product.objects.create(
            slug=slugify(english),
            vendor=Vendor.objects.get_or_create(name=vendor)[0],
            category=category,
            price=Decimal(price),
            stock=9,
            status="live",
        )
        product.translations.create(language="en", title=english, description=f"{english} from {vendor}")
        product.translations.create(language="de", title=german)
        product.images.create(url=f"https://pictures.example/{number}-back.webp", position=2)
        product.images.create(url=f"https://pictures.example/{number}.webp", position=1)
        return product
