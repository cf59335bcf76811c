"""What a personal block costs a page: milliseconds and queries for nobody and for a known shopper, and where they go.

Every request is another of a million visitors', beside one of 50 products whose lists are in the cache, as those of a
page that many look at are. A request is made once by nobody and once by the visitor, so that both meet one load.
``re-ranking`` is all between the list for everybody and the order for the visitor, and the rows below it are its parts;
``more than nobody`` is what the whole block takes beyond nobody's median, less the query that reads the visitor.
``cpu`` is the process's own time, which others on the machine lengthen less.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter_ns, thread_time_ns, time
from typing import Any
from unittest import mock

import numpy as np

from . import Row

ROOT = Path(__file__).resolve().parent.parent
HOT = 50
BLOCKS = {
    "bought_with, one item": "{% bought_with product %}",
    "bought_with, cart of 3": "{% bought_with cart %}",
    "for_you": "{% for_you %}",
    "upgrade_to": "{% upgrade_to product %}",
}
# With twenty rules of all kinds, five hundred hidden items, and an experiment in each slot.
ALL_ON = {
    "all on, slot of one item": '{% slot "product" product %}',
    "all on, slot of a cart of 3": '{% slot "cart" cart %}',
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mysql", default="mysql://root@127.0.0.1:3306/ecomrec_bench_personal", help="server of MariaDB or MySQL"
    )
    parser.add_argument("--items", type=int, default=100_000, help="items in the shop")
    parser.add_argument("--visitors", type=int, default=1_000_000, help="visitors with a profile, on MariaDB")
    parser.add_argument("--embedded", type=int, default=100_000, help="visitors with a profile, on SQLite")
    parser.add_argument("--samples", type=int, default=2_000, help="requests of each block")
    parser.add_argument("--only", choices=["sqlite", "mysql"], help="one database instead of both")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keep what is made here and in the database for the next run"
    )


def run(options: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(TemporaryDirectory(prefix="ecomrec-personal-")))
        for database in [options.only] if options.only else ["sqlite", "mysql"]:
            visitors = options.visitors if database == "mysql" else options.embedded
            url = options.mysql if database == "mysql" else f"sqlite:///{folder.resolve()}/unused.sqlite3"
            environment = {
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "example_shop.settings",
                "DEBUG": "0",
                "SHOP_VAR": str(folder.resolve() / database),
                "DATABASE_URL": url,
            }
            sizes = map(str, (options.items, visitors, options.samples, int(options.keep is not None)))
            command = [sys.executable, "-m", "benchmarks.personal", database, *sizes]
            done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            rows += json.loads(done.stdout.splitlines()[-1])
    return rows


def _measure(database: str, items: int, visitors: int, samples: int, keep: bool) -> list[Row]:
    with shop_database(items, visitors, keep):
        return _figures(database, visitors, samples)


@contextmanager
def shop_database(items: int, visitors: int, keep: bool) -> Iterator[None]:
    """Sets Django up with a database that holds the shop, and drops it afterwards unless told to ``keep`` it."""
    import django
    from django.conf import settings

    django.setup()
    from django.db import connection

    from ecomrec_django.artifacts import release_folder
    from ecomrec_django.learning.interactions import DAY
    from ecomrec_django.models import Profile, Publication

    from . import _personal_shop

    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = str(settings.VAR / "test.sqlite3")
    name = settings.DATABASES["default"]["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False, keepdb=keep)
    try:
        made = Publication.objects.current().select_related("release").first()
        there = Profile.objects.count() if made is not None and release_folder(made.release_id).exists() else 0
        if there != visitors:
            if keep:
                # What is there is of another size, or only half made.
                connection.creation.destroy_test_db(name, verbosity=0)
                connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
            _personal_shop.fill(
                _personal_shop.Shop.of(items, time() - _personal_shop.AGE * DAY), visitors, release_folder
            )
        yield
    finally:
        if not keep:
            connection.creation.destroy_test_db(name, verbosity=0)


def _figures(database: str, visitors: int, samples: int) -> list[Row]:
    from ecomrec_django.failures import failure_counts
    from ecomrec_django.models import Experiment, Publication, Rule
    from ecomrec_django.serving.model_cache import cached_model

    from . import _personal_shop

    release = Publication.objects.select_related("release").get().release
    assert cached_model(release.pk, release.digest, wait=True) is not None, dict(failure_counts)
    # A shop that was kept has those of the last run.
    Rule.objects.all().delete()
    Experiment.objects.all().delete()
    products = _products()
    rng = np.random.default_rng(5)
    rows = []
    for block, source in (*BLOCKS.items(), *ALL_ON.items()):
        if block == next(iter(ALL_ON)):
            _switch_all_on()
        some = rng.permutation(_personal_shop.visiting(visitors))[:samples].tolist()
        rows += [{"name": f"{database}: {block}: {name}", **row} for name, row in _block(source, products, some)]
    if failure_counts:
        raise SystemExit(f"blocks failed: {dict(failure_counts)}")
    return rows


def _switch_all_on() -> None:
    """Rules about the mirror, about live products and about single items, and two arms in each slot."""
    from ecomrec_django.models import Arm, Category, Experiment, Item, Rule
    from ecomrec_django.serving.rulebook import invalidate_rulebook

    categories = list(Category.objects.order_by("-pk")[:5])
    brands = list(Item.objects.values_list("brand", flat=True).distinct()[:5])
    hide, boost = Rule.Action.HIDE, Rule.Action.BOOST
    rules = [Rule(name=f"Not {category}", action=hide, category=category) for category in categories]
    rules += [Rule(name=f"More {brand}", action=boost, brand=brand, factor=1.5) for brand in brands]
    rules += [Rule(name=f"Not above {price}", action=hide, lowest_price=price) for price in range(1_000, 1_005)]
    rules += [Rule(name=f"Fewer below {price}", action=boost, highest_price=price, factor=0.9) for price in range(1, 6)]
    rules += [Rule(name=f"Never {item}", action=hide, item=item) for item in Item.objects.order_by("-pk")[:500]]
    Rule.objects.bulk_create(rules)
    for slot in ("product", "cart"):
        experiment = Experiment.objects.create(name=slot, slot=slot, status=Experiment.Status.RUNNING)
        for name, options in (("as it is", {}), ("new things", {"discovery": 0.2})):
            Arm.objects.create(experiment=experiment, name=name, options=options)
    invalidate_rulebook()


def _products() -> list[Any]:
    """Some that have lists of both kinds."""
    from ecomrec_django.models import OfferList
    from example_shop.models import Product

    drawn = np.random.default_rng(6).permutation(Product.objects.count())[: 20 * HOT] + 1
    lists = OfferList.objects.filter(anchor__in=drawn.tolist(), strategy="upgrade_to")
    long = [anchor for anchor, offers in lists.values_list("anchor", "offers") if offers.count("[") > 10]
    return list(Product.objects.filter(pk__in=long[:HOT]))


def _block(source: str, products: list[Any], visitors: list[int]) -> Iterator[tuple[str, Row]]:
    """Rows of one block."""
    from django.template import Template

    block = Template("{% load ecomrec %}" + source)
    contexts = _Contexts(products)
    for product in products:
        block.render(contexts.of(product, None))
    queries = {who: _queries(block, contexts, visitors[:20], who) for who in (False, True)}
    taken: dict[str, list[np.ndarray]] = {"nobody": [], "known": []}
    with _clocks() as clocks:
        for visitor, product in zip(visitors, cycle(products), strict=False):
            contexts.keep_cached(product)
            for clock in clocks.values():
                clock.append(np.zeros(2, np.int64))
            for name, who in (("nobody", None), ("known", visitor)):
                asked = contexts.of(product, who)
                began = _now()
                html = block.render(asked)
                taken[name].append(_now() - began)
                if "ecomrec-offer" not in html:
                    raise SystemExit("the block is empty")
    part = {name: np.array(clock) for name, clock in clocks.items()}
    more = np.array(taken["known"]) - np.median(taken["nobody"], axis=0) - part["query"]
    trees = part["trees"] + part["left"]
    yield "nobody", {**_percentiles(taken["nobody"]), **queries[False]}
    yield "known", {**_percentiles(taken["known"]), **queries[True]}
    yield "query", _percentiles(part["query"])
    yield "more than nobody", _percentiles(more)
    yield "re-ranking", _percentiles(part["re-ranking"])
    yield "- the shopper", _percentiles(part["shopper"])
    yield "- candidates and signals", _percentiles(part["candidates"] + part["ranked"] - trees)
    yield "- trees", _percentiles(trees)


class _Contexts:
    """Requests as pages of the shop get them, made outside of the clock."""

    def __init__(self, products: list[Any]) -> None:
        self.products = products
        self.skus = [product.sku for product in products]

    def of(self, product: Any, visitor: int | None) -> Any:
        from django.template import Context
        from django.test import RequestFactory

        from ecomrec_django.tracking.consent import AGREED, CONSENT_COOKIE
        from ecomrec_django.tracking.visitors import COOKIE, sign_cookie
        from example_shop.cart import SESSION_KEY, Cart

        from ._personal_shop import token_of

        request = RequestFactory().get("/")
        request.session = {SESSION_KEY: dict.fromkeys(self.cart(product), 1)}  # type: ignore[assignment]
        if visitor is not None:
            request.COOKIES = {CONSENT_COOKIE: AGREED, COOKIE: sign_cookie(token_of(visitor))}
        return Context({"product": product, "cart": Cart(request), "request": request})

    def cart(self, product: Any) -> list[str]:
        """The product's sku, and those of the two after it."""
        at = self.skus.index(product.sku)
        return [self.skus[(at + step) % len(self.skus)] for step in range(3)]

    def keep_cached(self, product: Any) -> None:
        """Seldom needed: the local cache lets go of a list after five seconds."""
        from ecomrec_django.serving.offer_store import stored_lists
        from ecomrec_django.serving.rulebook import current_rulebook

        current_rulebook()
        for strategy in ("bought_with", "upgrade_to"):
            stored_lists(strategy, self.cart(product))
        stored_lists("for_you", [""], general=True)


def _queries(block: Any, contexts: _Contexts, visitors: list[int], known: bool) -> dict[str, int]:
    """The most of some requests, with the lists in the cache and without."""
    from django.core.cache import cache
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from ecomrec_django.serving.rulebook import current_rulebook

    most = {}
    for name in ("queries", "uncached"):
        found = []
        for visitor, product in zip(visitors, cycle(contexts.products), strict=False):
            cache.clear()
            contexts.keep_cached(product)
            if name == "uncached":
                cache.clear()
                current_rulebook()
            asked = contexts.of(product, visitor if known else None)
            with CaptureQueriesContext(connection) as queries:
                block.render(asked)
            found.append(len(queries))
        most[name] = max(found)
    return most


@contextmanager
def _clocks() -> Iterator[dict[str, list[np.ndarray]]]:
    """Nanoseconds (see `_now`) by part of a personal block: each list's last value grows while that part is at work."""
    from ecomrec_django.learning.ranking.ranker import Ranker
    from ecomrec_django.serving import page, reranking, selection

    shopper = vars(reranking.RankingContext)["features"]
    places = {
        "query": (page, "shopper_context_by_key"),
        "re-ranking": (selection.RankerPersonaliser, "_ranked"),
        "shopper": (shopper, "func"),
        "candidates": (reranking, "candidate_items"),
        "ranked": (reranking, "rank"),
        "trees": (Ranker, "probabilities"),
        "left": (Ranker, "without_anchor"),
    }
    clocks: dict[str, list[np.ndarray]] = {name: [] for name in places}
    with ExitStack() as stack:
        for name, (place, attribute) in places.items():
            timed = _timed(getattr(place, attribute), clocks[name])
            stack.enter_context(mock.patch.object(place, attribute, timed))
        yield clocks


def _timed(function: Callable[..., Any], clock: list[np.ndarray]) -> Callable[..., Any]:
    def timed(*arguments: Any, **options: Any) -> Any:
        began = _now()
        try:
            return function(*arguments, **options)
        finally:
            clock[-1] += _now() - began

    return timed


def _now() -> np.ndarray:
    """Nanoseconds by the clock, and of this thread alone."""
    return np.array([perf_counter_ns(), thread_time_ns()])


def _percentiles(taken: Any) -> dict[str, float]:
    (p50, cpu50), (p99, cpu99) = np.percentile(np.array(taken), [50, 99], axis=0) / 1e6
    return {"p50_ms": p50, "p99_ms": p99, "cpu_p50": cpu50, "cpu_p99": cpu99}


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], *map(int, sys.argv[2:5]), keep=sys.argv[5] == "1")))
