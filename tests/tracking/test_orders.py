from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, connections
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecomrec_django.models import Checkpoint, Event, Item, Visitor
from ecomrec_django.tracking.imports import OVERLAP
from ecomrec_django.tracking.orders import import_order, import_purchases, join_guest
from ecomrec_django.tracking.visitors import token_key, user_key
from tests.planted import NOON, facts, line

pytestmark = pytest.mark.django_db


def pieces() -> int:
    """Pieces bought less pieces given back, as the events tell."""
    return sum(
        quantity if kind == "purchase" else -quantity
        for kind, quantity in Event.objects.values_list("kind", "quantity")
    )


def test_a_line_becomes_one_purchase_with_its_order_price_and_visitor(shop):
    shop.lines = [line(17, "a", order="o9", user="5", quantity=3)]
    Item.objects.create(external_id="a", title="A", fingerprint="")
    assert import_purchases().purchases == 1
    event = Event.objects.get()
    assert (event.kind, event.key, event.basket, event.quantity, event.price, event.time) == (
        "purchase",
        "purchase:17",
        "o9",
        3,
        Decimal("2.50"),
        NOON,
    )
    assert event.visitor.key == user_key("5")
    assert event.item.external_id == "a"


def test_importing_twice_changes_nothing(shop):
    shop.lines = [line(n, "ab"[n % 2], quantity=2, refunded=n % 3) for n in range(6)]
    first = import_purchases()
    rows = list(Event.objects.order_by("pk").values_list())
    second = import_purchases()
    assert (first.purchases, first.refunds) == (6, 4)
    assert (second.purchases, second.refunds) == (0, 0)
    assert list(Event.objects.order_by("pk").values_list()) == rows


def test_a_refund_that_grows_adds_the_difference(shop):
    for refunded in (0, 1, 1, 4, 3, 9):
        shop.lines = [line(1, "a", quantity=5, refunded=refunded), line(11, "a", quantity=1)]
        import_purchases()
    refunds = Event.objects.filter(kind="refund").order_by("pk").values_list("key", "quantity")
    assert list(refunds) == [("refund:1:1", 1), ("refund:1:4", 3), ("refund:1:5", 1)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, 6), min_size=3, max_size=3), min_size=1, max_size=4))
def test_the_pieces_left_are_those_bought_less_the_most_ever_given_back(shop, steps):
    Event.objects.all().delete()
    for step in steps:
        shop.lines = [line(f"{n}:x", "a", quantity=4, refunded=refunded) for n, refunded in enumerate(step)]
        import_purchases()
    assert pieces() == sum(4 - min(4, max(column)) for column in zip(*steps, strict=True))


def test_a_guest_has_no_visitor(shop):
    shop.lines = [line(1, "a", user=None)]
    import_purchases()
    assert Event.objects.get().visitor is None
    assert not Visitor.objects.exists()


def test_a_product_the_catalog_lacks_keeps_its_purchases(shop):
    shop.lines = [line(1, "gone")]
    assert import_purchases().unknown_items == 1
    assert Event.objects.get().item.external_id == "gone"
    assert not Item.objects.get().active


def test_ids_that_differ_only_in_case_stay_two_products(shop):
    shop.lines = [line(1, "abc"), line(2, "ABC"), line("x", "a"), line("X", "a")]
    assert import_purchases().purchases == 4
    assert Item.objects.count() == 3


@pytest.mark.parametrize(
    "bad",
    [
        line(1, ""),
        line(1, "x" * 129),
        line(1, "a", quantity=0),
        line(1, "a", quantity=-1),
        line(1, "a", quantity=2**40),
        line("9" * 200, "a"),
        line(1, "a", order="o" * 65),
        line(1, "a")._replace(price=Decimal("NaN")),
        line(1, "a")._replace(price=Decimal("-1")),
    ],
)
def test_a_line_that_makes_no_sense_is_counted_and_the_rest_imported(shop, bad):
    shop.lines = [bad, line(2, "a")]
    report = import_purchases()
    assert (report.skipped, report.purchases) == (1, 1)


def test_the_next_import_asks_from_before_the_last_one_began(shop):
    began = timezone.now()
    import_purchases()
    import_purchases()
    first, second = shop.asked
    assert first is None
    assert timedelta(0) <= second - (began - OVERLAP) < timedelta(minutes=1)


def test_an_import_that_breaks_off_begins_again_where_it_was(shop, monkeypatch):
    monkeypatch.setattr("ecomrec_django.tracking.orders.CHUNK", 2)

    def lines():
        yield from (line(n, "a") for n in range(4))
        raise OSError("the shop's database went away")

    shop.lines = lines()
    with pytest.raises(OSError, match="went away"):
        import_purchases()
    assert Checkpoint.objects.get(name="orders").position == {}
    shop.lines = [line(n, "a") for n in range(6)]
    assert import_purchases().purchases == 2
    assert Event.objects.count() == 6


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_count_nothing_twice(shop, monkeypatch):
    if connection.vendor == "sqlite":
        assert connection.settings_dict["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    from threading import Thread

    monkeypatch.setattr("ecomrec_django.tracking.orders.CHUNK", 5)
    shop.lines = [line(n, f"i{n % 7}", user=str(n % 3), quantity=3, refunded=n % 3) for n in range(40)]
    broken = []

    def work():
        try:
            import_purchases()
        except Exception as error:
            broken.append(error)
        finally:
            connections.close_all()

    threads = [Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert broken == []
    assert Event.objects.filter(kind="purchase").count() == 40
    assert pieces() == sum(3 - n % 3 for n in range(40))


def test_titles_come_from_the_catalog_once_it_has_the_product(shop):
    from ecomrec_django.catalog.sync import sync

    shop.lines = [line(1, "a")]
    import_purchases()
    shop.facts = [facts("a")]
    sync()
    item = Item.objects.get()
    assert (item.title, item.active) == ("Title a", True)


def test_a_price_in_another_currency_is_converted_and_one_without_a_rate_is_unknown(shop):
    shop.lines = [line(1, "a")._replace(currency="USD"), line(2, "a")._replace(currency="XXX"), line(3, "a")]
    assert import_purchases().unknown_prices == 1
    prices = dict(Event.objects.values_list("key", "price"))
    assert prices == {"purchase:1": Decimal("1.25"), "purchase:2": None, "purchase:3": Decimal("2.50")}


def test_an_order_from_the_future_is_skipped(shop):
    shop.lines = [line(1, "a", time=timezone.now() + timedelta(days=2)), line(2, "a")]
    report = import_purchases()
    assert (report.skipped, report.purchases) == (1, 1)


@pytest.mark.parametrize("joined", ["before", "between", "after"])
def test_a_guests_order_is_the_visitors_whenever_that_becomes_known(shop, joined):
    key = token_key("somebody")
    shop.lines = [line(1, "a", user=None, refunded=1), line(2, "b", user=None, order="o2")]
    if joined == "before":
        join_guest("o1", key)
    import_purchases()
    if joined == "between":
        join_guest("o1", key)
        import_purchases()
    if joined == "after":
        import_order("o1", guest=key)
    owners = Event.objects.order_by("key").values_list("kind", "basket", "visitor__key")
    assert list(owners) == [("purchase", "o1", key), ("purchase", "o2", None), ("refund", "o1", key)]


def test_an_order_imported_at_once_counts_once(shop):
    shop.lines = [line(1, "a"), line(2, "b"), line(3, "c", order="o2")]
    for _ in range(2):
        import_order("o1")
    assert Event.objects.count() == 2
    assert import_purchases().purchases == 1
    assert import_purchases().purchases == 0
