"""Lines with a negative quantity take back the latest matching purchases, as the shop has them now."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecomrec_django.insights.daily_figures import measure
from ecomrec_django.models import DailyTotal, Event
from ecomrec_django.privacy.erasure import erase
from ecomrec_django.tracking.importers.orders import import_order, import_purchases
from ecomrec_django.tracking.importers.reconciliation import reconcile
from ecomrec_django.tracking.importers.removal import remove_orders
from ecomrec_django.tracking.visitors import guest_key, user_key
from tests.support.planted_shop import NOON, line

pytestmark = pytest.mark.django_db


def bought(number, item="a", quantity=1, day=0, **more):
    return line(number, item, order=f"o{number}", quantity=quantity, time=NOON + timedelta(days=day), **more)


def returned(number, item="a", quantity=1, day=5, order=None, **more):
    made = line(number, item, order=order or f"C{number}", quantity=-quantity, time=NOON + timedelta(days=day), **more)
    return made._replace(price=Decimal("2.50"))


BOUGHT = (
    bought(1, quantity=3),
    bought(2, quantity=2, day=1),
    bought(3, "b", day=1),
    bought(4, quantity=5, day=1, user="2"),
    bought(5, quantity=4, day=8),
)


def kept():
    """What is left of each order."""
    left = {}
    for kind, basket, quantity in Event.objects.exclude(kind="return").values_list("kind", "basket", "quantity"):
        left[basket] = left.get(basket, 0) + (quantity if kind == "purchase" else -quantity)
    return left


def rows():
    names = ("kind", "visitor__key", "item__external_id", "time", "quantity", "price", "basket", "component")
    return sorted(map(str, Event.objects.values_list(*names)))


def imported(shop, *lines):
    shop.lines = list(lines)
    import_purchases()
    return kept()


ALL = {"o1": 3, "o2": 2, "o3": 1, "o4": 5, "o5": 4}


@pytest.mark.parametrize(
    ("back", "left"),
    [
        (returned(9), {"o2": 1}),
        (returned(9, quantity=4), {"o1": 1, "o2": 0}),
        (returned(9, quantity=9), {"o1": 0, "o2": 0}),
        (returned(9, quantity=2, order="o1"), {"o1": 1}),
        (returned(9, quantity=Decimal("0.5")), {"o2": Decimal("1.5")}),
        (returned(9, quantity=3, refunded=2), {"o2": 1}),
        (returned(9, quantity=3, refunded=-2), {"o2": 1}),
        (returned(9, quantity=2, refunded=2), {}),
        (returned(9, "b", day=1), {"o3": 0}),
        (returned(9, day=-1), {}),
        (returned(9, "c"), {}),
        (returned(9, user="3"), {}),
        (returned(9, day=20, quantity=5), {"o5": 0, "o2": 1}),
        (returned(9, user="2", quantity=5), {"o4": 0}),
    ],
)
@pytest.mark.parametrize("first", [False, True])
def test_a_return_takes_back_the_latest_earlier_purchase_of_customer_and_item(planted_shop, back, left, first):
    lines = [back, *BOUGHT] if first else [*BOUGHT, back]
    for _ in range(2):
        assert imported(planted_shop, *lines) == {**ALL, **left}
        assert import_purchases().changed == 0


def test_a_return_follows_what_the_shop_changes_in_it(planted_shop):
    for quantity, order, left in (
        (1, "C9", {"o2": 1}),
        (4, "C9", {"o1": 1, "o2": 0}),
        (1, "o1", {"o1": 2}),
        (2, "C9", {"o2": 0}),
    ):
        assert imported(planted_shop, *BOUGHT, returned(9, quantity=quantity, order=order)) == {**ALL, **left}
    assert imported(planted_shop, returned(9, refunded=1)) == ALL
    assert imported(planted_shop, returned(9)) == {**ALL, "o2": 1}
    assert imported(planted_shop, returned(9, user="2")) == {**ALL, "o4": 4}
    assert imported(planted_shop, returned(9, "b")) == {**ALL, "o3": 0}


def test_a_return_follows_what_the_shop_changes_in_purchases(planted_shop):
    back = returned(9, quantity=2)
    assert imported(planted_shop, *BOUGHT, back) == {**ALL, "o2": 0}
    assert imported(planted_shop, bought(2, quantity=1, day=1)) == {**ALL, "o2": 0, "o1": 2}
    assert imported(planted_shop, bought(2, "b", quantity=2, day=1)) == {**ALL, "o1": 1}
    assert imported(planted_shop, bought(2, quantity=2, day=1, user="2")) == {**ALL, "o1": 1}
    assert imported(planted_shop, bought(2, quantity=2, day=1, refunded=1)) == {**ALL, "o1": 2, "o2": 0}
    # One that was placed between them takes its place.
    assert imported(planted_shop, bought(6, quantity=2, day=4)) == {**ALL, "o2": 1, "o6": 0}


def test_a_return_comes_before_its_purchase(planted_shop):
    assert imported(planted_shop, returned(9)) == {}
    assert imported(planted_shop, bought(1)) == {"o1": 0}


def test_returns_that_are_removed_take_nothing_back(planted_shop, monkeypatch):
    monkeypatch.setattr(planted_shop, "whole_orders", True)
    both = returned(8), returned(9, order="C8")
    assert imported(planted_shop, *BOUGHT, *both) == {**ALL, "o2": 0}
    assert imported(planted_shop, both[0]) == {**ALL, "o2": 1}
    assert remove_orders(["C8"]) == 1
    assert kept() == ALL
    assert imported(planted_shop, *BOUGHT, *both) == {**ALL, "o2": 0}
    planted_shop.lines = list(BOUGHT)
    assert reconcile().report.removed == 2
    assert kept() == ALL


def test_a_removed_purchase_leaves_its_return_to_the_one_before(planted_shop):
    imported(planted_shop, *BOUGHT, returned(9))
    remove_orders(["o2"])
    assert kept() == {"o1": 2, "o3": 1, "o4": 5, "o5": 4}


def test_a_line_becomes_a_return_and_a_purchase_again(planted_shop):
    later = bought(9, day=5)
    assert imported(planted_shop, *BOUGHT, later)["o9"] == 1
    assert imported(planted_shop, returned(9, order="o9")) == {**ALL, "o2": 1}
    assert imported(planted_shop, later) == {**ALL, "o9": 1}


def test_a_guests_return_names_the_order_or_the_guest(planted_shop):
    def guest(one, name=""):
        return one._replace(user=None, guest=name)

    lines = [guest(bought(1)), guest(bought(2)), guest(bought(3), "h"), guest(bought(4))]
    back = [guest(returned(7, order="o1")), guest(returned(8)), guest(returned(9), "h")]
    assert imported(planted_shop, *lines, *back) == {"o1": 0, "o2": 1, "o3": 0, "o4": 1}
    assert Event.objects.get(key="return:9").visitor.key == guest_key("h")


def test_the_return_of_a_deleted_product_stays(planted_shop):
    imported(planted_shop, *BOUGHT, returned(9))
    assert imported(planted_shop, returned(9, None, quantity=2)) == {**ALL, "o2": 0}


def test_an_order_with_a_return_is_imported_at_once(planted_shop):
    planted_shop.lines = [*BOUGHT, returned(9)]
    import_purchases()
    planted_shop.lines = [returned(9, quantity=2)]
    import_order("C9")
    assert kept() == {**ALL, "o2": 0}


def test_the_money_follows_on_the_day_of_the_purchase(planted_shop):
    for pieces in (1, 2, 4, 1, 0):
        back = [returned(9, quantity=pieces)] if pieces else [returned(9, refunded=1)]
        imported(planted_shop, *BOUGHT[:2], *back)
        measure()
        totals = dict(DailyTotal.objects.filter(revenue__gt=0).values_list("day__day", "revenue"))
        first, second = 3 - max(pieces - 2, 0), 2 - min(pieces, 2)
        assert totals == {day: pieces * Decimal("2.50") for day, pieces in ((1, first), (2, second)) if pieces}


def test_a_reconciliation_agrees_with_returns(planted_shop):
    imported(planted_shop, *BOUGHT, returned(9))
    result = reconcile()
    assert (result.stored, result.remaining, result.report.changed, result.report.removed) == ({}, {}, 0, 0)


def test_an_erased_customers_returns_go_with_them(planted_shop):
    imported(planted_shop, *BOUGHT, returned(9))
    erase([user_key("1")])
    assert imported(planted_shop, *BOUGHT, returned(9)) == {"o4": 5}
    assert not Event.objects.filter(kind="return").exists()


LINES = st.builds(
    lambda number, item, pieces, day, user, refunded: (
        bought(number, item, quantity=pieces, day=day, user=user, refunded=refunded)
        if pieces > 0
        else returned(number, item, quantity=-pieces, day=day, user=user)
    ),
    st.integers(1, 6),
    st.sampled_from("ab"),
    st.integers(-4, 4).filter(bool),
    st.integers(0, 9),
    st.sampled_from(["1", "1", "2", None]),
    st.integers(0, 1),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(LINES, max_size=4, unique_by=lambda one: one.line), min_size=1, max_size=4))
def test_after_any_changes_it_is_as_if_the_shop_had_been_so_from_the_start(planted_shop, steps):
    Event.objects.all().delete()
    shop = {}
    for step in steps:
        shop |= {one.line: one for one in step}
        imported(planted_shop, *step)
    after = rows()
    Event.objects.all().delete()
    imported(planted_shop, *shop.values())
    assert after == rows()
