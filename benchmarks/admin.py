"""How fast the merchant's pages are in a large shop on MariaDB, and how many rows they read.

A shop of 100,000 items, two releases of a list of 20 offers for each (two million pairs), five million events of half a
million visitors. Every page of the admin is asked for in process, by a superuser, of other rows each time, after one
request that is not counted. ``rows``: the most that the server read for one request (its counters Handler_read_*), so
that a page which walks through a table shows. ``queries``: the most of one request.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np

from . import Row

ROOT = Path(__file__).resolve().parent.parent
MODELS = (
    *("release", "offerlist", "reviewlist", "override", "decision", "rule", "trainingrun", "item", "category", "event"),
    *("visitor", "omission", "heldevent", "impression", "segment", "experiment", "dailyfigure", "erasure"),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mysql", default="mysql://root@127.0.0.1:3306/ecomrec_bench_admin", help="server of MariaDB")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--samples", type=int, default=40, help="requests of each page")


def run(options: argparse.Namespace) -> list[Row]:
    with TemporaryDirectory(prefix="ecomrec-admin-") as folder:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "example_shop.settings",
            "DEBUG": "0",
            "SHOP_VAR": folder,
            "DATABASE_URL": options.mysql,
        }
        sizes = map(str, (options.items, options.events, options.samples))
        command = [sys.executable, "-m", "benchmarks.admin", *sizes]
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        return list(json.loads(done.stdout.splitlines()[-1]))


def _measure(items: int, events: int, samples: int) -> list[Row]:
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client

    from . import _admin_shop

    name = settings.DATABASES["default"]["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        _admin_shop.fill(items, events)
        client = Client()
        client.force_login(User.objects.create_superuser("boss", password=None))
        return [_page(client, page, urls, samples) for page, urls in _pages(items)]
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def _pages(items: int) -> Iterator[tuple[str, Callable[[int], str]]]:
    """Name of each page, and its address for a random number."""
    from ecomrec_django.models import OfferList, Publication
    from ecomrec_django.strategies.base import decode_offers

    room = "/admin/ecomrec"
    for model in MODELS:
        yield f"{model}", lambda at, model=model: f"{room}/{model}/?p={1 + at % 20}"  # type: ignore[misc]
    yield "offerlist: search", lambda at: f"{room}/offerlist/?q={1 + at % items}"
    yield "item: search", lambda at: f"{room}/item/?q=Item {at % 1000}"
    yield "event: search", lambda at: f"{room}/event/?q={1 + at % items}"
    publication = Publication.objects.get()
    lists = OfferList.objects.filter(release=publication.release_id, strategy="bought_with").order_by("pk")
    first = lists.values_list("pk", flat=True)[0]
    offers = {pk: decode_offers(text)[0].item for pk, text in lists.values_list("pk", "offers")[:200]}
    yield "offer list", lambda at: f"{room}/offerlist/{first + at % items}/change/"
    yield (
        "evidence",
        lambda at: f"{room}/offerlist/{first + at % 200}/evidence/?offer={offers[first + at % 200]}",
    )
    yield "why", lambda at: f"{room}/offerlist/why/?block=slot:product&item={1 + at % items}&other={1 + at * 7 % items}"
    yield "overview", lambda at: f"{room}/release/overview/"
    yield "release", lambda at: f"{room}/release/{publication.release_id}/change/"
    yield (
        "release: lists changed",
        lambda at: (
            f"{room}/release/{publication.release_id}/lists/?strategy=bought_with&change=changed&p={1 + at % 20}"
        ),
    )
    yield "release: quality", lambda at: f"{room}/release/metrics/"
    yield "item", lambda at: f"{room}/item/{1 + at % items}/change/"
    yield "visitor", lambda at: f"{room}/visitor/{1 + at % 1000}/change/"
    yield "segment", lambda at: f"{room}/segment/1/change/"
    yield "segment: interests", lambda at: f"{room}/segment/interests/"
    yield "shop's product", lambda at: f"/admin/shop/product/{1 + at % items}/change/"


def _page(client: Any, page: str, url_of: Callable[[int], str], samples: int) -> Row:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    numbers = np.random.default_rng(0).integers(0, 1_000_000, samples).tolist()
    _asked(client, page, url_of(numbers[-1]))
    times = []
    for number in numbers:
        start = perf_counter()
        _asked(client, page, url_of(number))
        times.append(1000 * (perf_counter() - start))
    counts, read = [], []
    for number in numbers[:5]:
        before = _read()
        with CaptureQueriesContext(connection) as queries:
            _asked(client, page, url_of(number))
        counts.append(len(queries))
        read.append(_read() - before)
    return {
        "name": page,
        "p50_ms": float(np.percentile(times, 50)),
        "p95_ms": float(np.percentile(times, 95)),
        "queries": max(counts),
        "rows": max(read),
    }


def _asked(client: Any, page: str, url: str) -> None:
    answer = client.get(url, follow=True)
    if answer.status_code != 200:
        raise SystemExit(f"{page}: {url} answered {answer.status_code}")


def _read() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        return sum(int(value) for _, value in cursor.fetchall())


if __name__ == "__main__":
    print(json.dumps(_measure(*map(int, sys.argv[1:]))))
