"""Steps of `benchmarks.tracking` that run inside of the shop: ``python -m benchmarks._tracking_steps STEP``."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import perf_counter, sleep
from typing import Any

import django

from . import Row

BATCH = 500
ROUNDS = 40
OFFERS = 4
EVENTS = 300


def set_up() -> None:
    """A database of its own with a thousand products."""
    from django.core.management import call_command

    from benchmarks.tracking import ITEMS
    from ecomrec_django.models import Item
    from example_shop.models import Product

    _ask("DROP DATABASE IF EXISTS {name}", "CREATE DATABASE {name} CHARACTER SET utf8mb4")
    call_command("migrate", verbosity=0)
    Product.objects.bulk_create(Product(sku=f"p{n}", title=f"Product {n}", price=1) for n in range(ITEMS))
    Item.objects.bulk_create(Item(external_id=f"p{n}", title=f"Product {n}", fingerprint="") for n in range(ITEMS))


def tear_down() -> None:
    _ask("DROP DATABASE {name}")


def _ask(*statements: str) -> None:
    import MySQLdb
    from django.conf import settings

    given = settings.DATABASES["default"]
    server = MySQLdb.connect(
        host=given["HOST"], port=int(given["PORT"] or 3306), user=given["USER"], password=given["PASSWORD"]
    )
    for statement in statements:
        server.query(statement.format(name=given["NAME"]))
    server.close()


def make_reports(number: str) -> list[list[dict[str, Any]]]:
    """What that many pages report: a view and two blocks of offers seen."""
    from benchmarks.tracking import ITEMS
    from ecomrec_django.serving.tokens import seal_block, seal_item

    def offers(page: int) -> list[str]:
        return [f"p{(page + place) % ITEMS}" for place in range(1, OFFERS + 1)]

    return [
        [
            {"view": seal_item(f"p{page % ITEMS}"), "id": secrets.token_hex(16)},
            *(
                {
                    "block": seal_block(
                        strategy, 1, f"p{page % ITEMS}", [f"p{(page + n) % ITEMS}" for n in range(1, 5)]
                    ),
                    "seen": list(range(1, OFFERS + 1)),
                }
                for strategy in ("bought_with", "upgrade_to")
            ),
        ]
        for page in range(int(number))
    ]


def make_cookies(number: str) -> list[str]:
    from ecomrec_django.tracking.visitors import new_token, sign_cookie

    return [sign_cookie(new_token()) for _ in range(int(number))]


def stored() -> int:
    from ecomrec_django.models import Event, Impression

    return Event.objects.count() + Impression.objects.count()


def time_sinks() -> list[Row]:
    """Events a second of one process, one by one and by the hundred."""
    from ecomrec_django.tracking.drain import drain
    from ecomrec_django.tracking.redis_sink import RedisSink
    from ecomrec_django.tracking.sinks import DatabaseSink

    rows: list[Row] = []
    with _redis_settings(os.environ["BENCH_REDIS"]):
        for name, sink in [("database", DatabaseSink()), ("redis", RedisSink())]:
            for size in (1, BATCH):
                batches = [_observations(size) for _ in range(ROUNDS * (10 if size == 1 else 1))]
                began = perf_counter()
                for batch in batches:
                    sink.write(batch)
                rate = sum(map(len, batches)) / (perf_counter() - began)
                rows.append({"name": f"events:{name}_sink:{size}", "events_per_s": rate})
        before, began = stored(), perf_counter()
        drain(once=True)
        rows.append({"name": "events:drain", "events_per_s": (stored() - before) / (perf_counter() - began)})
    return rows


def _observations(number: int) -> list[Any]:
    from benchmarks.tracking import ITEMS
    from ecomrec_django.models import Kind
    from ecomrec_django.tracking.observation import Observation
    from ecomrec_django.tracking.visitors import token_key

    return [
        Observation(kind=Kind.VIEW_ITEM, item=f"p{n % ITEMS}", visitor=token_key(secrets.token_hex(16)), policy="1")
        for n in range(number)
    ]


def _redis_settings(address: str) -> AbstractContextManager[Any]:
    from ecomrec_django.testing import override_ecomrec

    return override_ecomrec(REDIS=address)


def count_losses() -> list[Row]:
    """Events of which a third come while something is down: sent, stored, counted as lost, unaccounted for."""
    from ecomrec_django.tracking.redis_sink import RedisSink
    from ecomrec_django.tracking.sinks import DatabaseSink

    rows = [_loss("database down", DatabaseSink, _database_down())]
    with _redis_settings(f"redis://127.0.0.1:{_closed_port()}/0"):
        rows.append(_loss("redis down", RedisSink, nullcontext()))
        rows.append(_loss("redis and database down", RedisSink, _database_down()))
    return rows


def _loss(name: str, made: Callable[[], Any], failure: AbstractContextManager[Any]) -> Row:
    from ecomrec_django.tracking.omissions import Reason, omitted_count
    from ecomrec_django.tracking.sinks import Breaker

    sink, before, lost = made(), stored(), omitted_count(Reason.LOST)
    batches = [_observations(1) for _ in range(EVENTS)]
    third = EVENTS // 3
    for batch in batches[:third]:
        sink.write(batch)
    with failure:
        for batch in batches[third : 2 * third]:
            sink.write(batch)
    sleep(Breaker.SECONDS)
    for batch in batches[2 * third :]:
        sink.write(batch)
    kept, counted = stored() - before, omitted_count(Reason.LOST) - lost
    return {"name": f"loss:{name}", "sent": EVENTS, "stored": kept, "lost": counted, "missing": EVENTS - kept - counted}


@contextmanager
def _database_down() -> Iterator[None]:
    """This process finds nobody where its database was."""
    from django.db import connection

    connection.close()
    port = connection.settings_dict["PORT"]
    connection.settings_dict["PORT"] = str(_closed_port())
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["PORT"] = port


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    django.setup()
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
