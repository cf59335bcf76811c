"""Milliseconds and queries of a block, uncached and cached, and of a page with and without it."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter_ns
from typing import Any

import numpy as np

from . import Row

ROOT = Path(__file__).resolve().parent.parent
LIST = 20
LEAVES = 300
# As long as a real product's.
TEXT = "One of the products that this shop has sold for years. " * 5


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mysql", default="mysql://root@127.0.0.1:3306/ecomrec_bench", help="server of MariaDB or MySQL"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="items in the shop")
    parser.add_argument("--samples", type=int, default=2_000)
    parser.add_argument("--only", choices=["sqlite", "mysql"], help="one database instead of both")


def run(options: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    with TemporaryDirectory(prefix="ecomrec-serving-") as folder:
        for database in [options.only] if options.only else ["sqlite", "mysql"]:
            for size in options.sizes:
                url = options.mysql if database == "mysql" else f"sqlite:///{folder}/{size}.sqlite3"
                environment = {
                    **os.environ,
                    "DJANGO_SETTINGS_MODULE": "example_shop.settings",
                    "DEBUG": "0",
                    "SHOP_VAR": folder,
                    "DATABASE_URL": url,
                }
                command = [
                    sys.executable,
                    "-m",
                    "benchmarks.serving",
                    database,
                    str(size),
                    str(options.samples),
                    folder,
                ]
                done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
                rows += json.loads(done.stdout.splitlines()[-1])
    return rows


def _measure(database: str, size: int, samples: int, folder: str) -> list[Row]:
    """One shop of ``size`` items in a database of its own, dropped afterwards."""
    import django
    from django.conf import settings

    django.setup()
    from django.db import connection

    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = f"{folder}/test-{size}.sqlite3"
    name = settings.DATABASES["default"]["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        _fill(size)
        return _figures(f"{database}:{size}", size, samples)
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def _fill(size: int) -> None:
    """Products in 300 leaves, and for each a list of up to 20 random others of another leaf, written without models."""
    from django.db import connection
    from django.utils import timezone

    from ecomrec_django.models import Category, Item, OfferList, Publication, Release, TrainingRun
    from ecomrec_django.models.bulk import chunks, insert
    from ecomrec_django.strategies.base import Offer, Reason, encode_offers
    from example_shop.models import Category as ShopCategory
    from example_shop.models import Product

    now = connection.ops.adapt_datetimefield_value(timezone.now())
    keys = range(1, size + 1)
    root = ShopCategory.objects.create(pk=LEAVES + 1, name="root", slug="root")
    ShopCategory.objects.bulk_create(
        ShopCategory(pk=n + 1, name=f"leaf {n}", slug=f"leaf-{n}", parent=root) for n in range(LEAVES)
    )
    # A leaf of two levels is its own aisle.
    insert(
        Category,
        ("id", "name", "path", "digest", "aisle"),
        [(n + 1, f"leaf {n}", f"root > leaf {n}", str(n), n + 1) for n in range(LEAVES)],
    )
    insert(
        Product,
        ("id", "sku", "title", "category", "price", "brand", "stock", "sold", "image", "description", "updated"),
        [
            (n, str(n), f"Product {n}", n % LEAVES + 1, n % 90 + 1, "B", 100, 0, f"products/{n % 90}.png", TEXT, now)
            for n in keys
        ],
    )
    fields = ("id", "external_id", "title", "category", "brand", "image", "description", "available", "active")
    insert(
        Item,
        (*fields, "fingerprint", "first_seen", "synced_at"),
        [(n, str(n), f"Product {n}", n % LEAVES + 1, "B", "", TEXT, True, True, str(n), now, now) for n in keys],
    )
    release = Release.objects.create(run=TrainingRun.objects.create(status="done"), complete=True)
    others = np.random.default_rng(0).integers(1, size + 1, (size, LIST))

    def text(row: int) -> str:
        return encode_offers(
            [
                Offer(str(n), 1 / rank, Reason.TOGETHER, n % LEAVES + 1, (12, 3.4, 20.5, 2.5, 0.1))
                for rank, n in enumerate(others[row].tolist(), 1)
                if n % LEAVES != (row + 1) % LEAVES
            ]
        )

    for some in chunks(range(size)):
        insert(
            OfferList,
            ("release", "strategy", "anchor", "offers"),
            [(release.pk, "bought_with", n + 1, text(n)) for n in some],
        )
    Publication.objects.create(pk=1, release=release)
    if connection.vendor == "mysql":
        with connection.cursor() as cursor:
            for model in (Item, OfferList, Product):
                cursor.execute(f"ANALYZE TABLE {model._meta.db_table}")
                cursor.fetchall()


def _figures(name: str, size: int, samples: int) -> list[Row]:
    from django.db import connection
    from django.template import Context, Template
    from django.test import Client, RequestFactory
    from django.test.utils import CaptureQueriesContext, override_settings

    from ecomrec_django.conf import conf
    from ecomrec_django.serving.offers import failures
    from example_shop.models import Product

    block = Template("{% load ecomrec %}{% bought_with product %}")
    picks = np.random.default_rng(1).integers(1, size + 1, samples + 50).tolist()
    products = Product.objects.in_bulk(picks)
    # The same few pages again and again, as a cache sees them.
    hot = [products[pk] for pk in picks[:50]]

    def render(product: Any) -> str:
        request = RequestFactory().get("/")
        request.session = {}
        return str(block.render(Context({"product": product, "request": request})))

    rows: list[Row] = []
    variants = [("uncached", 0, [products[pk] for pk in picks]), ("cached", 3600, hot * (samples // len(hot) + 2))]
    for variant, seconds, asked in variants:
        with override_settings(ECOMREC={**conf.given, "CACHE_SECONDS": seconds, **_strategies()}):
            _time(render, asked[:50])
            with CaptureQueriesContext(
                connection,
            ) as queries:
                html = render(asked[0])
            if "ecomrec-offer" not in html or failures:
                raise SystemExit(f"the block is empty: {dict(failures)}")
            rows.append(
                {
                    "name": f"ecomrec:{name}:{variant}",
                    **_time(render, asked[50 : samples + 50], warm=bool(seconds)),
                    "queries": len(queries),
                }
            )
    client = Client()
    with override_settings(ECOMREC={**conf.given, "CACHE_SECONDS": 0, **_strategies()}, ALLOWED_HOSTS=["*"]):
        with_it = _time(lambda product: client.get(f"/product/{product.sku}/"), hot * 4)
    with override_settings(ECOMREC={**conf.given, "STRATEGIES": {}}, ALLOWED_HOSTS=["*"]):
        without = _time(lambda product: client.get(f"/product/{product.sku}/"), hot * 4)
    rows += [{"name": f"page:{name}:with", **with_it}, {"name": f"page:{name}:without", **without}]
    return rows


def _strategies() -> dict[str, Any]:
    return {"STRATEGIES": {"bought_with": "benchmarks.serving.OtherAisle"}}


def _time(work: Callable[[Any], Any], asked: list[Any], warm: bool = False) -> dict[str, float]:
    """Milliseconds; with ``warm`` each is asked once outside of the clock, for the cache may have let go of it."""
    taken = []
    for one in asked:
        if warm:
            work(one)
        began = perf_counter_ns()
        work(one)
        taken.append(perf_counter_ns() - began)
    p50, p99 = np.percentile(taken, [50, 99]) / 1e6
    return {"p50_ms": float(p50), "p99_ms": float(p99)}


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])))
