"""A shop goes on being used while what it has is read: two processes write to one database."""

from tests.support.processes import ShopProcess, own_database

READ_AND_WRITE = """
import threading
from decimal import Decimal
from django.contrib.auth.models import Group, User
from django.db import connection
from django.utils import timezone
from ecomrec_django.catalog import sync
from ecomrec_django.models import Event, Item
from ecomrec_django.tracking.importers import orders, reviews
from example_shop import recommendations
from example_shop.models import Order, OrderLine, Product, Review

MANY = 5_000
orders.CHUNK = reviews.CHUNK = 700
recommendations.ORDERS = 500
now = timezone.now()
user = User.objects.create(username="one")
Product.objects.bulk_create(
    Product(sku=f"s{n}", title=f"Product {n}", price=Decimal(1)) for n in range(MANY)
)
Order.objects.bulk_create(Order(number=f"o{n}", user=user, placed=now) for n in range(MANY))
OrderLine.objects.bulk_create(
    OrderLine(order=order, sku=f"s{n}", title="", quantity=1, unit_price=1)
    for n, order in enumerate(Order.objects.order_by("pk"))
)
Review.objects.bulk_create(
    Review(product=product, user=user, rating=4, created=now) for product in Product.objects.all()
)

def somebody_else(*progress):
    def write():
        Group.objects.create(name=f"group {Group.objects.count()}")
        connection.close()
    other = threading.Thread(target=write)
    other.start()
    other.join()

sync.sync(somebody_else)
orders.import_purchases(somebody_else)
reviews.import_reviews(somebody_else)
kinds = [Event.objects.filter(kind=kind).count() for kind in ("purchase", "review")]
print(Item.objects.count(), *kinds, Group.objects.count() > 15)
"""


def test_concurrent_writes_do_not_stop_an_import(tmp_path):
    with own_database(tmp_path) as url:
        shop = ShopProcess(tmp_path, url)
        shop.manage("migrate", "--verbosity", "0")
        assert shop.ask(READ_AND_WRITE) == "5000 5000 5000 True"
