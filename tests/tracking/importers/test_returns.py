from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.insights.daily_figures import measure
from ecomrec_django.models import DailyTotal, Event, Item
from ecomrec_django.privacy.erasure import erase_order
from ecomrec_django.tracking.importers.delimited import DelimitedTable
from ecomrec_django.tracking.importers.files import import_events
from ecomrec_django.tracking.importers.formats.spec import EVENTS
from ecomrec_django.tracking.importers.orders import OrderImporter, import_purchases
from ecomrec_django.tracking.importers.returns import OpenPurchase, Return, allocated
from tests.support.planted_shop import NOON, line

pytestmark = pytest.mark.django_db
HEADER = "event,visitor,item,quantity,price,time,basket"


@pytest.fixture
def load(planted_shop, tmp_path):
    """Import lines of a file; hands back (what was imported, what was there before, lines refused)."""

    def load(*lines):
        (tmp_path / "file.csv").write_text("\n".join([HEADER, *lines, ""]))
        refused = []
        table = DelimitedTable(tmp_path / "file.csv")
        report = import_events(table, EVENTS, lambda *row: refused.append(row[:2]), with_purchases=True)
        return report.created, report.present, refused

    return load


def kept():
    """What is left of each order's lines."""
    left = {}
    for kind, basket, quantity in Event.objects.values_list("kind", "basket", "quantity"):
        left[basket] = left.get(basket, 0) + (quantity if kind == "purchase" else -quantity)
    return left


BOUGHT = (
    "purchase,ann,a,3,2.00,2024-01-01,o1",
    "purchase,ann,a,2,2.50,2024-01-02,o2",
    "purchase,ann,b,1,9.00,2024-01-02,o3",
    "purchase,ben,a,5,2.00,2024-01-02,o4",
    "purchase,ann,a,4,2.00,2024-01-09,o5",
)


@pytest.mark.parametrize(
    ("back", "left"),
    [
        ("purchase,ann,a,-1,2.00,2024-01-05,C1", {"o1": 3, "o2": 1}),
        ("purchase,ann,a,-4,2.00,2024-01-05,C1", {"o1": 1, "o2": 0}),
        ("purchase,ann,a,-9,2.00,2024-01-05,C1", {"o1": 0, "o2": 0}),
        ("refund,ann,a,2,2.00,2024-01-05,o1", {"o1": 1, "o2": 2}),
        ("refund,ann,a,-2,2.00,2024-01-05,o1", {"o1": 1, "o2": 2}),
        ("purchase,ann,a,-0.5,2.00,2024-01-05,C1", {"o1": 3, "o2": Decimal("1.5")}),
    ],
)
@pytest.mark.parametrize("first", [False, True])
def test_a_return_takes_back_the_latest_earlier_purchase_of_customer_and_item(load, back, left, first):
    lines = (back, *BOUGHT) if first else (*BOUGHT, back)
    assert load(*lines) == (6, 0, [])
    assert kept() == {"o3": 1, "o4": 5, "o5": 4, **left}
    assert load(*lines) == (0, 6, [])
    assert kept() == {"o3": 1, "o4": 5, "o5": 4, **left}


def test_returns_of_what_nobody_bought_are_refused(load):
    created, _, refused = load(
        *BOUGHT,
        "purchase,ann,c,-1,2.00,2024-01-05,C1",
        "purchase,ann,a,-1,2.00,2023-12-31,C2",
        "purchase,,a,-1,2.00,2024-01-05,",
        "purchase,cleo,a,-1,2.00,2024-01-05,C3",
        "purchase,ann,a,0,2.00,2024-01-05,o9",
        "view_item,ann,a,-1,2.00,2024-01-05,",
    )
    assert created == 5
    assert sorted(line for line, _ in refused) == [7, 8, 9, 10, 11, 12]
    assert not Event.objects.filter(kind="refund").exists()


def test_a_return_in_a_later_file_finds_its_purchase_and_the_money_follows(load):
    load(*BOUGHT)
    load("purchase,ann,a,-1,2.00,2024-01-05,C1")
    load("purchase,ann,a,-1,2.00,2024-01-06,C2", "purchase,ann,a,-1,2.00,2024-01-05,C1")
    assert kept()["o2"] == 0
    measure()
    totals = dict(DailyTotal.objects.values_list("day__day", "revenue"))
    assert totals == {1: Decimal("6.00"), 2: Decimal("19.00"), 9: Decimal("8.00")}


def test_the_shops_own_orders_are_left_alone(load, planted_shop):
    item = Item.objects.create(external_id="a", title="A", fingerprint="")
    load("purchase,ann,a,1,2.00,2024-01-01,o1")
    visitor = Event.objects.get().visitor
    Event.objects.create(
        kind="purchase", item=item, visitor=visitor, time=NOON, quantity=5, basket="own", key="purchase:17"
    )
    load("purchase,ann,a,-3,2.00,2024-01-05,C1")
    assert kept() == {"o1": 0, "own": 5}


def test_imports_of_the_shops_orders_leave_those_of_files_alone(load, planted_shop):
    load("purchase,ann,a,1,2.00,2024-01-01,o1")
    planted_shop.lines = [line(1, "a"), line(2, "b"), line(3, "c", order="o2")]
    import_purchases()
    shop = OrderImporter(planted_shop(), whole_orders=True)
    shop.add([line(1, "a")])
    shop.remove(shop.missing(whole_shop=True))
    ours, theirs = sorted(Event.objects.values_list("key", flat=True), reverse=True)
    assert (ours[:14], theirs) == ("purchase:file:", "purchase:1")


def test_an_erased_order_does_not_come_back_from_its_file(load):
    load(*BOUGHT)
    erase_order("o1")
    assert load(*BOUGHT, "purchase,ann,a,-2,2.00,2024-01-05,C1") == (1, 4, [])
    assert kept() == {"o2": 0, "o3": 1, "o4": 5, "o5": 4}


PIECES = st.integers(1, 5)


@given(
    st.lists(st.tuples(st.integers(0, 9), PIECES, st.sampled_from("xyz")), max_size=6), PIECES, st.sampled_from("xyz")
)
def test_a_return_never_takes_more_than_there_is_nor_leaves_what_it_could_take(bought, pieces, basket):
    open_ = [
        OpenPurchase(str(n), NOON + timedelta(days=day), None, order, left)
        for n, (day, left, order) in enumerate(bought)
    ]
    returned = Return(1, 1, pieces, NOON + timedelta(days=5), basket, "k")
    taken = allocated(returned, open_)
    earlier = [one for one in open_ if one.time <= returned.time]
    assert all(0 < quantity <= purchase.left and purchase in earlier for purchase, quantity in taken)
    assert len({purchase.line for purchase, _ in taken}) == len(taken)
    assert sum(quantity for _, quantity in taken) == min(pieces, sum(one.left for one in earlier))
    untouched = [one for one in earlier if one not in [purchase for purchase, _ in taken]]
    for purchase, _ in taken:
        rank = purchase.basket == basket, purchase.time
        assert all(rank >= (one.basket == basket, one.time) for one in untouched)
