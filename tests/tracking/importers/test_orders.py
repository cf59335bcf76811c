from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecomrec_django.errors import DataError
from ecomrec_django.models import Checkpoint, Event, Item, Visitor
from ecomrec_django.privacy.erasure import erase
from ecomrec_django.tracking.importers.base import OVERLAP
from ecomrec_django.tracking.importers.orders import import_order, import_purchases, join_guest
from ecomrec_django.tracking.visitors import guest_key, token_key, user_key
from tests.support.planted_shop import NOON, facts, line
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db


def pieces() -> int:
    """Pieces bought less pieces given back, as the events tell."""
    return sum(
        quantity if kind == "purchase" else -quantity
        for kind, quantity in Event.objects.values_list("kind", "quantity")
    )


def test_a_line_becomes_one_purchase_with_its_order_price_and_visitor(planted_shop):
    planted_shop.lines = [line(17, "a", order="o9", user="5", quantity=3)]
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


def test_importing_twice_changes_nothing(planted_shop):
    planted_shop.lines = [line(n, "ab"[n % 2], quantity=2, refunded=n % 3) for n in range(6)]
    first = import_purchases()
    rows = list(Event.objects.order_by("pk").values_list())
    second = import_purchases()
    assert (first.purchases, first.refunds) == (6, 4)
    assert (second.purchases, second.refunds) == (0, 0)
    assert list(Event.objects.order_by("pk").values_list()) == rows


def test_a_refund_that_grows_adds_the_difference(planted_shop):
    for refunded in (0, 1, 1, 4, 9):
        planted_shop.lines = [line(1, "a", quantity=5, refunded=refunded), line(11, "a", quantity=1)]
        import_purchases()
    refunds = Event.objects.filter(kind="refund").order_by("pk").values_list("key", "quantity")
    assert list(refunds) == [("refund:1:1", 1), ("refund:1:4", 3), ("refund:1:5", 1)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, 6), min_size=3, max_size=3), min_size=1, max_size=4))
def test_remaining_pieces_are_bought_minus_refunded(planted_shop, steps):
    Event.objects.all().delete()
    for step in steps:
        planted_shop.lines = [line(f"{n}:x", "a", quantity=4, refunded=refunded) for n, refunded in enumerate(step)]
        import_purchases()
    assert pieces() == sum(4 - min(4, refunded) for refunded in steps[-1])


def test_a_guest_has_no_visitor(planted_shop):
    planted_shop.lines = [line(1, "a", user=None)]
    import_purchases()
    assert Event.objects.get().visitor is None
    assert not Visitor.objects.exists()


def test_a_product_the_catalog_lacks_keeps_its_purchases(planted_shop):
    planted_shop.lines = [line(1, "gone")]
    assert import_purchases().unknown_items == 1
    assert Event.objects.get().item.external_id == "gone"
    assert not Item.objects.get().active


def test_ids_that_differ_only_in_case_stay_two_products(planted_shop):
    planted_shop.lines = [line(1, "abc"), line(2, "ABC"), line("x", "a"), line("X", "a")]
    assert import_purchases().purchases == 4
    assert Item.objects.count() == 3


@pytest.mark.parametrize(
    "bad",
    [
        line(1, ""),
        line(1, "x" * 129),
        line(1, "a", quantity=0),
        line(1, "a", quantity=-(2**40)),
        line(1, "a", quantity=2**40),
        line("9" * 200, "a"),
        line(1, "a", order="o" * 65),
        line(1, "a")._replace(price=Decimal("NaN")),
        line(1, "a")._replace(price=Decimal("-1")),
    ],
)
def test_a_line_that_makes_no_sense_is_counted_and_the_rest_imported(planted_shop, bad):
    planted_shop.lines = [bad, line(2, "a")]
    report = import_purchases()
    assert (report.skipped, report.purchases) == (1, 1)


def test_the_next_import_asks_from_before_the_last_one_began(planted_shop):
    began = timezone.now()
    import_purchases()
    import_purchases()
    first, second = planted_shop.asked
    assert first is None
    assert timedelta(0) <= second - (began - OVERLAP) < timedelta(minutes=1)


def test_an_import_that_breaks_off_begins_again_where_it_was(planted_shop, monkeypatch):
    monkeypatch.setattr("ecomrec_django.tracking.importers.orders.CHUNK", 2)

    def lines():
        yield from (line(n, "a") for n in range(4))
        raise OSError("the shop's database went away")

    planted_shop.lines = lines()
    with pytest.raises(DataError, match="went away"):
        import_purchases()
    assert Checkpoint.objects.get(name="orders").position == {}
    planted_shop.lines = [line(n, "a") for n in range(6)]
    assert import_purchases().purchases == 2
    assert Event.objects.count() == 6


def test_an_interrupted_import_keeps_its_lines_and_names_the_last_order(planted_shop):
    def lines():
        yield line(1, "a", order="o1")
        yield line(2, "b", order="o2")
        raise ValueError("no such field")

    planted_shop.lines = lines()
    with pytest.raises(DataError) as caught:
        import_purchases()
    message = str(caught.value)
    assert message.startswith(
        "PlantedCatalog.purchases failed after 2 records, the last of which was 2 of order o2: "
        f"ValueError: no such field (at {__file__}:"
    )
    assert "the next import reads from the same time again" in message
    assert Event.objects.count() == 2
    assert Checkpoint.objects.get(name="orders").position == {}


@pytest.mark.parametrize(("lines", "kind"), [(None, "None"), ("o1", "a str")])
def test_an_adapter_that_returns_no_lines_says_so(planted_shop, monkeypatch, lines, kind):
    monkeypatch.setattr(planted_shop, "purchases", lambda self, since: lines)
    with pytest.raises(DataError, match=f"PlantedCatalog.purchases returned {kind}: yield the records"):
        import_purchases()


def test_a_line_id_of_two_lines_counts_for_the_first(planted_shop):
    planted_shop.lines = [line(1, "a"), line(1, "b"), line(1, "a", order="o2"), line(1, "a", refunded=1)]
    report = import_purchases()
    assert (report.purchases, report.refunds, report.skipped) == (1, 1, 2)
    (reason,) = report.reasons
    assert reason.message == "its id is that of another line, of order o1: give each line an id of its own."
    assert (reason.count, reason.example) == (2, "1 of order o1")


def test_invalid_lines_are_counted_by_reason_with_an_example(planted_shop):
    planted_shop.lines = [line(1, "a"), line(2, "a", quantity=0), line(3, "a", quantity=0), line(4, "")]
    reasons = import_purchases().reasons
    assert [(reason.count, reason.example) for reason in reasons] == [(2, "2 of order o1"), (1, "4 of order o1")]


def test_a_first_import_whose_lines_are_all_invalid_fails_and_is_repeated(planted_shop):
    planted_shop.lines = [line(n, "a", quantity=0) for n in range(3)]
    with pytest.raises(DataError, match=r"All order lines were skipped: 3, such as 0 of order o1: quantity 0"):
        import_purchases()
    planted_shop.lines = [line(n, "a") for n in range(3)]
    assert import_purchases().purchases == 3
    assert planted_shop.asked == [None, None]


@pytest.mark.parametrize(("lines", "fails"), [(19, False), (20, True)])
def test_a_later_import_fails_if_many_lines_are_all_invalid(planted_shop, lines, fails):
    import_purchases()
    planted_shop.lines = [line(n, "a", quantity=0) for n in range(lines)]
    if fails:
        with pytest.raises(DataError, match="All order lines were skipped: 20"):
            import_purchases()
    else:
        assert import_purchases().skipped == lines


def test_a_currency_without_a_rate_is_remarked_on(planted_shop):
    planted_shop.lines = [line(n, "a")._replace(currency="EUR") for n in range(2)]
    report = import_purchases()
    assert (report.purchases, report.unknown_prices) == (2, 2)
    (remark,) = report.remarks
    assert (remark.count, remark.example) == (2, "0 of order o1")
    assert 'its currency "EUR" has no rate' in remark.message
    assert "set PlantedCatalog.base_currency" in remark.message


def test_rows_of_a_model_are_refused_one_by_one(planted_shop):
    planted_shop.lines = [*(Item(title="A") for _ in range(2)), line(1, "a")]
    report = import_purchases()
    assert (report.purchases, report.skipped) == (1, 2)
    assert report.reasons[0].message == "it is an ecomrec.Item: yield a PurchaseLine for each line of an order."


@pytest.mark.django_db(transaction=True)
def test_concurrent_imports_count_each_line_once(planted_shop, monkeypatch):
    if connection.vendor == "sqlite":
        assert connection.settings_dict["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    monkeypatch.setattr("ecomrec_django.tracking.importers.orders.CHUNK", 5)
    planted_shop.lines = [line(n, f"i{n % 7}", user=str(n % 3), quantity=3, refunded=n % 3) for n in range(40)]
    at_once(import_purchases, import_purchases)
    assert Event.objects.filter(kind="purchase").count() == 40
    assert pieces() == sum(3 - n % 3 for n in range(40))


def test_titles_come_from_the_catalog_once_it_has_the_product(planted_shop):
    from ecomrec_django.catalog.sync import sync

    planted_shop.lines = [line(1, "a")]
    import_purchases()
    planted_shop.facts = [facts("a")]
    sync()
    item = Item.objects.get()
    assert (item.title, item.active) == ("Title a", True)


def test_foreign_prices_are_converted_or_unknown(planted_shop):
    planted_shop.lines = [line(1, "a")._replace(currency="USD"), line(2, "a")._replace(currency="XXX"), line(3, "a")]
    assert import_purchases().unknown_prices == 1
    prices = dict(Event.objects.values_list("key", "price"))
    assert prices == {"purchase:1": Decimal("1.25"), "purchase:2": None, "purchase:3": Decimal("2.50")}


def test_an_order_from_the_future_is_skipped(planted_shop):
    planted_shop.lines = [line(1, "a", time=timezone.now() + timedelta(days=2)), line(2, "a")]
    report = import_purchases()
    assert (report.skipped, report.purchases) == (1, 1)


def owners():
    """Visitor.key of each purchase and refund, by key."""
    return dict(Event.objects.values_list("key", "visitor__key"))


def test_guests_of_one_hash_are_one_visitor(planted_shop):
    planted_shop.lines = [
        line(n, "a", user=None, order=f"o{n}")._replace(guest=guest) for n, guest in enumerate(("h1", "h2", "h1"))
    ]
    import_purchases()
    assert owners() == {f"purchase:{n}": guest_key(guest) for n, guest in enumerate(("h1", "h2", "h1"))}


def test_a_hash_that_comes_later_joins_the_orders_before(planted_shop):
    planted_shop.lines = [line(1, "a", user=None, refunded=1), line(2, "b", user=None, order="o2")]
    import_purchases()
    planted_shop.lines = [each._replace(guest="h1") for each in planted_shop.lines[:1]] + planted_shop.lines[1:]
    import_purchases()
    assert owners() == {"purchase:1": guest_key("h1"), "refund:1:1": guest_key("h1"), "purchase:2": None}


def test_a_cookie_owns_the_order_of_a_hash(planted_shop):
    planted_shop.lines = [line(n, "a", user=None, order=f"o{n}")._replace(guest="h1") for n in (1, 2)]
    import_purchases()
    import_order("o1", guest=token_key("somebody"))
    assert owners() == {"purchase:1": token_key("somebody"), "purchase:2": guest_key("h1")}


def test_an_erased_guest_does_not_come_back(planted_shop):
    planted_shop.lines = [line(1, "a", user=None)._replace(guest="h1"), line(2, "a", order="o2")]
    import_purchases()
    erase([guest_key("h1")])
    import_purchases()
    assert owners() == {"purchase:2": user_key("1")}


def test_orders_of_staff_are_left_out(planted_shop, django_user_model):
    staff = django_user_model.objects.create_user("clerk", is_staff=True)
    customer = django_user_model.objects.create_user("customer")
    planted_shop.lines = [line(n, "a", user=str(user.pk), order=f"o{n}") for n, user in enumerate((staff, customer))]
    assert import_purchases().purchases == 1
    assert owners() == {"purchase:1": user_key(customer.pk)}


def test_a_component_of_a_kit_is_marked(planted_shop):
    planted_shop.lines = [line(1, "kit"), line(2, "a", refunded=1)._replace(part_of="1")]
    import_purchases()
    assert dict(Event.objects.values_list("key", "component")) == {
        "purchase:1": False,
        "purchase:2": True,
        "refund:2:1": True,
    }


@pytest.mark.parametrize("joined", ["before", "between", "after"])
def test_a_guests_order_is_the_visitors_whenever_that_becomes_known(planted_shop, joined):
    key = token_key("somebody")
    planted_shop.lines = [line(1, "a", user=None, refunded=1), line(2, "b", user=None, order="o2")]
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


def test_an_order_imported_at_once_counts_once(planted_shop):
    planted_shop.lines = [line(1, "a"), line(2, "b"), line(3, "c", order="o2")]
    for _ in range(2):
        import_order("o1")
    assert Event.objects.count() == 2
    assert import_purchases().purchases == 1
    assert import_purchases().purchases == 0


def test_what_is_sold_by_weight_is_kept_exactly_and_taken_back_in_parts(planted_shop):
    for refunded in ("0", "0.1", "0.30", "0.3"):
        planted_shop.lines = [line(1, "a", quantity=Decimal("0.350"), refunded=Decimal(refunded)), line(2, "b")]
        import_purchases()
        assert pieces() == Decimal("1.35") - Decimal(refunded)
    stored = Event.objects.filter(item__external_id="a").order_by("pk").values_list("kind", "quantity", "key")
    assert list(stored) == [
        ("purchase", Decimal("0.35"), "purchase:1"),
        ("refund", Decimal("0.1"), "refund:1:0.1"),
        ("refund", Decimal("0.2"), "refund:1:0.3"),
    ]
    whole = Event.objects.get(key="purchase:2").quantity
    assert (whole, str(Event.objects.get(key="purchase:1").quantity)) == (1, "0.35")
    assert isinstance(whole, int)


@given(st.lists(st.decimals("0.0001", 2**31 - 1, places=4), min_size=1, max_size=5))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_quantity_comes_back_as_it_was(planted_shop, quantities):
    Event.objects.all().delete()
    planted_shop.lines = [line(n, "a", quantity=quantity) for n, quantity in enumerate(quantities)]
    import_purchases()
    assert sorted(Event.objects.values_list("quantity", flat=True)) == sorted(quantities)
