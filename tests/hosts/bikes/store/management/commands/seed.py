import io
from datetime import timedelta

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify
from PIL import Image, ImageDraw

from store.models import Category, Manufacturer, Order, OrderItem, Product

# Category, manufacturer, name, price.
PRODUCTS = [
    ("Bicycles > City", "Velox", "Velox City 3", "449.00"),
    ("Bicycles > City", "Velox", "Velox City 7 with lights", "549.00"),
    ("Bicycles > City", "Nordrad", "Nordrad Harbour", "629.00"),
    ("Bicycles > Road", "Nordrad", "Nordrad Sprint", "1199.00"),
    ("Accessories > Locks", "Krypt", "Krypt folding lock", "59.90"),
    ("Accessories > Locks", "Krypt", "Krypt chain lock with alarm, in a bag for the frame", "74.90"),
    ("Accessories > Helmets", "Nutcase", "Nutcase street helmet", "49.00"),
    ("Accessories > Lights", "Lumen", "Lumen front and rear set", "34.50"),
    ("Accessories > Pumps", "", "Floor pump", "24.99"),
    ("Accessories > Bottles", "", "Steel bottle", "14.99"),
]
# What customers buy together, by places in PRODUCTS; every sixth order is cancelled.
BASKETS = [(0, 4, 6), (0, 4, 7), (0, 4), (1, 4, 6), (3, 8, 9), (3, 9), (0, 6), (1,), (2,), (5, 7), (3, 8), (0, 4, 8)]
COLOURS = ["#3b6e8f", "#b5533c", "#56823f", "#8a5aa0", "#c7922b"]


class Command(BaseCommand):
    help = "Fill the shop with a few products and the orders of customers and guests."

    @transaction.atomic
    def handle(self, *args, **options):
        products = [self.product(number, *row) for number, row in enumerate(PRODUCTS)]
        start = timezone.now() - timedelta(days=90)
        for number in range(96):
            guest = number % 8 == 7
            user = None if guest else User.objects.get_or_create(username=f"customer{number}")[0]
            order = Order.objects.create(
                customer=user,
                email=f"guest{number}@example.com" if guest else "",
                status="cancelled" if number % 12 == 11 else ["new", "paid", "shipped"][number % 3],
                created_at=start + timedelta(hours=21 * number),
            )
            for place in BASKETS[number % len(BASKETS)]:
                OrderItem.objects.create(order=order, product=products[place], price=products[place].price)
        Product.objects.create(
            name="Last year's bell", slug="bell", price=5, category=products[9].category, is_active=False
        )

    def product(self, number, path, manufacturer, name, price):
        category = None
        for step in path.split(" > "):
            category, _ = Category.objects.get_or_create(name=step, slug=slugify(step), parent=category)
        maker = Manufacturer.objects.get_or_create(name=manufacturer)[0] if manufacturer else None
        product = Product(
            category=category, manufacturer=maker, name=name, slug=slugify(name), price=price, units_in_stock=20
        )
        if name != "Steel bottle":
            product.photo.save(f"{product.slug}.png", picture(number), save=False)
        product.save()
        return product


def picture(number):
    image = Image.new("RGB", (320, 240), "white")
    draw = ImageDraw.Draw(image)
    for wheel in (60, 260):
        draw.ellipse((wheel - 45, 110, wheel + 45, 200), outline=COLOURS[number % 5], width=10)
    draw.line([(60, 155), (130, 80), (220, 80), (260, 155), (150, 155), (130, 80)], fill=COLOURS[number % 5], width=10)
    file = io.BytesIO()
    image.save(file, "PNG")
    return ContentFile(file.getvalue())
