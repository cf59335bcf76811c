"""Milliseconds and queries of a block, uncached and cached, and of a page with and without it.

``uncached`` reads lists and products from the database for each of the 500 pages that are visited over and over;
``cached`` has the lists of 50 pages in the local-memory cache and reads the products still.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter_ns
from typing import Any

import numpy as np

from . import Row
from ._catalog_rows import CategoryRow, write_categories, write_products

ROOT = Path(__file__).resolve().parent.parent
LIST = 20
LEAVES = 300
VISITED = 500
# As long as a real product's.


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mysql", default="mysql://root@127.0.0.1:3306/ecomrec_bench", help="server of MariaDB or MySQL"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="items in the shop")
    parser.add_argument("--samples", type=int, default=5_000, help="blocks timed")
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
        return _figures(f"{database}:{size}", size, samples, folder)
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def _fill(size: int) -> None:
    """Products in 300 leaves, and for each a list of up to 20 random others of another leaf, written without models."""
    from django.db import connection

    from ecomrec_django.db import bulk_insert, chunks
    from ecomrec_django.models import Item, OfferList, Publication, Release, TrainingRun
    from ecomrec_django.strategies.base import Offer, Reason, encode_offers
    from example_shop.models import Category as ShopCategory
    from example_shop.models import Product

    root = ShopCategory.objects.create(pk=LEAVES + 1, name="root", slug="root")
    ShopCategory.objects.bulk_create(
        ShopCategory(pk=n + 1, name=f"leaf {n}", slug=f"leaf-{n}", parent=root) for n in range(LEAVES)
    )
    # A leaf of two levels is its own aisle.
    write_categories(CategoryRow(n + 1, f"leaf {n}", None, n + 1) for n in range(LEAVES))
    write_products((n, n % LEAVES + 1, str(n % 90 + 1)) for n in range(1, size + 1))
    release = Release.objects.create(run=TrainingRun.objects.create(status="done"), complete=True)
    others = np.random.default_rng(0).integers(1, size + 1, (size, LIST))

    def text(row: int) -> str:
        return encode_offers(
            [
                Offer(
                    item=str(n),
                    score=1 / rank,
                    reason=Reason.TOGETHER,
                    aisle=n % LEAVES + 1,
                    evidence=(14, 12, 3.4, 2.5, 20.5, 0.1),
                )
                for rank, n in enumerate(others[row].tolist(), 1)
                if n % LEAVES != (row + 1) % LEAVES
            ]
        )

    for some in chunks(range(size)):
        bulk_insert(
            OfferList,
            ("release", "strategy", "anchor", "offers"),
            [(release.pk, "bought_with", n + 1, text(n)) for n in some],
        )
    Publication.objects.create(pk=Publication.CURRENT, release=release)
    if connection.vendor == "mysql":
        with connection.cursor() as cursor:
            for model in (Item, OfferList, Product):
                cursor.execute(f"ANALYZE TABLE {model._meta.db_table}")
                cursor.fetchall()


def _figures(name: str, size: int, samples: int, folder: str) -> list[Row]:
    from django.test.utils import override_settings

    from ecomrec_django.conf import conf
    from example_shop.models import Product

    # Visited pages, over and over, as the memory of a database sees them; and the few that a cache holds.
    visited = list(Product.objects.filter(pk__in=np.random.default_rng(1).integers(1, size + 1, VISITED).tolist()))
    hot = visited[:50]
    rows = []
    with override_settings(TEMPLATES=_templates(ROOT / "ecomrec_django" / "templates")):
        for variant, seconds, asked in [
            ("uncached", 0, visited),
            ("cached", 3600, hot),
        ]:
            with override_settings(ECOMREC={**conf.given, "CACHE_SECONDS": seconds}):
                rows.append({"name": f"ecomrec:{name}:{variant}", **_block(asked, samples)})
    with override_settings(ECOMREC={**conf.given, "CACHE_SECONDS": 0}, ALLOWED_HOSTS=["*"]):
        pages = _pages(Path(folder), hot * max(samples // len(hot) // 10, 4))
    return rows + [{"name": f"page:{name}:{variant}", **figures} for variant, figures in pages.items()]


def _block(products: list[Any], samples: int) -> Row:
    """One block of the package's own look on an otherwise empty page; the request is made outside of the clock."""
    from django.db import connection
    from django.template import Context, Template
    from django.test import RequestFactory
    from django.test.utils import CaptureQueriesContext

    from ecomrec_django.failures import failure_counts

    block = Template("{% load ecomrec %}{% bought_with product %}")

    def context(product: Any) -> Any:
        request = RequestFactory().get("/")
        request.session = {}  # type: ignore[assignment]
        return Context({"product": product, "request": request})

    for product in products:
        block.render(context(product))
    with CaptureQueriesContext(connection) as queries:
        html = block.render(context(products[0]))
    taken = []
    for product in islice(cycle(products), samples):
        # Seldom needed: the local cache lets go of a list after five seconds.
        _keep_cached(product)
        asked = context(product)
        began = perf_counter_ns()
        block.render(asked)
        taken.append(perf_counter_ns() - began)
    if "ecomrec-offer" not in html or failure_counts:
        raise SystemExit(f"the block is empty: {dict(failure_counts)}")
    return {**_percentiles(taken), "queries": len(queries)}


def _keep_cached(product: Any) -> None:
    from ecomrec_django.conf import conf
    from ecomrec_django.serving.offer_store import stored_lists

    if conf.CACHE_SECONDS:
        stored_lists("bought_with", [product.sku])


def _pages(folder: Path, products: list[Any]) -> dict[str, dict[str, float]]:
    """The shop's product page, in its own look, with one block and with none: by turns, so that both meet one load."""
    from django.template.loader import get_template
    from django.test import Client
    from django.test.utils import override_settings

    source = get_template("shop/product.html").template.source
    settings = {}
    for variant, slots in [("with", ["upgrade"]), ("without", ["upgrade", "product"])]:
        page = folder / variant / "shop" / "product.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(without_slots(source, *slots))
        settings[variant] = override_settings(TEMPLATES=_templates(folder / variant))
    client = Client()
    taken: dict[str, list[int]] = {variant: [] for variant in settings}
    for start in range(0, len(products), 50):
        some = products[start : start + 50]
        for variant, changed_settings in settings.items():
            with changed_settings:
                client.get(f"/product/{some[0].sku}/")
                for product in some:
                    began = perf_counter_ns()
                    client.get(f"/product/{product.sku}/")
                    taken[variant].append(perf_counter_ns() - began)
    return {variant: _percentiles(times) for variant, times in taken.items()}


def without_slots(template: str, *slots: str) -> str:
    """A product page's template without these of its slots, each of which it has once."""
    for slot in slots:
        template, removed = re.subn(rf'{{% slot "{slot}" product %}}', "", template)
        assert removed == 1, f"The shop's product page has {removed} slots “{slot}” instead of one."
    return template


def _templates(first: Path) -> list[dict[str, Any]]:
    """The shop's settings, with templates of ``first`` before those of the apps."""
    from example_shop.settings import TEMPLATES

    return [{**TEMPLATES[0], "DIRS": [first]}]


def _percentiles(taken: list[int]) -> dict[str, float]:
    p50, p99 = np.percentile(taken, [50, 99]) / 1e6
    return {"p50_ms": float(p50), "p99_ms": float(p99)}


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])))
