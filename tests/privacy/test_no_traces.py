"""No address, no browser, no name: the example shop is browsed, then all that we keep is looked through."""

import logging

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.urls import reverse

from ecomrec_django.conf import conf
from ecomrec_django.models import Event
from ecomrec_django.tasks import run_training
from ecomrec_django.testing import publish_offers
from ecomrec_django.tracking.consent import CONSENT_COOKIE
from example_shop.models import Category, Order, Product

pytestmark = pytest.mark.django_db
ADDRESS, FORWARDED = "203.0.113.77", "198.51.100.88"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0 Unmistakable/77.88"
SECRETS = (ADDRESS, FORWARDED, "Unmistakable", "ada@example.org", "1 Hill Road", "Ada Hall", "ada-hall")


def shopper() -> Client:
    client = Client(REMOTE_ADDR=ADDRESS, HTTP_X_FORWARDED_FOR=FORWARDED, HTTP_USER_AGENT=BROWSER)
    client.cookies[CONSENT_COOKIE] = "yes"
    return client


def browse(client: Client) -> None:
    """Look at products, ask the API, order, look at oneself."""
    for sku in "abc":
        client.get(reverse("product", args=[sku]))
    client.get(reverse("ecomrec:bought-with"), {"item": "a"})
    client.get(reverse("ecomrec:bought-with"), {"item": "x" * 200})
    client.get(reverse("ecomrec:me")).getvalue()
    client.post(reverse("cart-add"), {"sku": "a"})
    client.post(
        reverse("checkout"), {"name": "Ada Hall", "email": "ada@example.org", "address": "1 Hill Road", "total": "1.00"}
    )


def stored() -> str:
    """Every value of every table of ours."""
    found = []
    for model in apps.get_app_config("ecomrec").get_models():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(model._meta.db_table)}")
            found += [str(row) for row in cursor.fetchall()]
    return "\n".join(found)


def artifacts() -> bytes:
    """Names and content of all our files, the history decompressed."""
    import pyarrow.parquet as pq

    found = []
    for path in sorted(conf.ARTIFACTS.rglob("*")):
        if path.is_file():
            found += [str(path.relative_to(conf.ARTIFACTS)).encode(), path.read_bytes()]
            if path.suffix == ".parquet":
                found.append(str(pq.read_table(path).to_pylist()).encode())
    return b"\n".join(found)


def test_addresses_browsers_and_names_are_stored_nowhere(caplog, django_capture_on_commit_callbacks):
    caplog.set_level(logging.DEBUG)
    shelf = Category.objects.create(name="Mugs", slug="mugs")
    for sku in "abc":
        Product.objects.create(sku=sku, title=f"Product {sku}", price=1, category=shelf)
    run_training()
    publish_offers({"bought_with": {"a": ["b"]}})
    guest, account = shopper(), shopper()
    account.force_login(User.objects.create_user("ada-hall", email="ada@example.org"))
    with django_capture_on_commit_callbacks(execute=True):
        browse(guest)
        browse(account)
    assert Order.objects.count() == 2
    run_training()
    guest.delete(reverse("ecomrec:me"))
    run_training()

    kinds = set(Event.objects.values_list("kind", flat=True))
    assert kinds == {"view_item", "add_to_cart", "purchase"}
    kept = {
        "tables": stored(),
        # The keys, and the pickled values, of Django's cache in memory.
        "cache": "\n".join(map(str, cache._cache.items())),
        "artifacts": artifacts().decode(errors="replace"),
        "logs": "\n".join(record.getMessage() + str(record.exc_text) for record in caplog.records if _ours(record)),
    }
    assert "throttle_ecomrec" in kept["cache"]
    assert "view_item" in kept["tables"]
    assert "view_item" in kept["artifacts"]
    for place, text in kept.items():
        for secret in SECRETS:
            assert secret not in text, f"{secret} in {place}"


def _ours(record: logging.LogRecord) -> bool:
    """Not the log of queries, which repeats what the shop itself stores."""
    return not record.name.startswith(("django.db", "asyncio"))
