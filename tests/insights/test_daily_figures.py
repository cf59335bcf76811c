"""A day's figures, by slot, strategy, arm, release and segment."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from ecomrec_django.insights.daily_figures import band, figures, gini, measure
from ecomrec_django.models import (
    Category,
    Conversion,
    DailyExposure,
    DailyFigure,
    DailyTotal,
    Event,
    Impression,
    Item,
    Profile,
    Segment,
    Visitor,
)

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
TODAY = NOON.date()


@pytest.fixture(autouse=True)
def world(planted_shop, time_machine):
    time_machine.move_to(NOON)
    category = Category.objects.create(name="Bikes", path="Bikes > City", digest="bikes")
    for name, price in (("a", 4), ("b", 60)):
        Item.objects.create(external_id=name, title=name, category=category, price=price, brand="Northwind")
    Item.objects.filter(external_id="a").update(first_seen=NOON - timedelta(days=100))
    segment = Segment.objects.create(label=1, description="gourmets")
    gourmet = Visitor.objects.create(key="gourmet")
    Profile.objects.create(visitor=gourmet, segment=segment, history=b"", until=NOON)
    Visitor.objects.create(key="other")
    return segment


def show(who="other", item="a", clicked=False, days=0, **fields):
    time = NOON - timedelta(days=days, hours=1)
    return Impression.objects.create(
        visitor=Visitor.objects.get(key=who),
        item=Item.objects.get(external_id=item),
        position=1,
        time=time,
        clicked=time if clicked else None,
        key=str(Impression.objects.count()),
        **{"strategy": "bought_with", "slot": "product", "release": 3, **fields},
    )


def buy(who="other", item="a", price=10, order="o1", quantity=1, kind="purchase"):
    line = Event.objects.count()
    return Event.objects.create(
        kind=kind,
        visitor=Visitor.objects.get(key=who),
        item=Item.objects.get(external_id=item),
        price=price,
        quantity=quantity,
        basket=order,
        time=NOON,
        key=f"{kind}:{line}",
    )


def rows(*names):
    return sorted(DailyFigure.objects.values_list(*names))


def test_each_group_has_its_own_row(world):
    show(clicked=True)
    show()
    show("gourmet", arm="7", clicked=True)
    show(strategy="for_you", slot="", release=None)
    measure()
    assert rows("strategy", "slot", "arm", "segment", "release", "impressions", "clicks") == [
        ("bought_with", "product", "", 0, 3, 2, 1),
        ("bought_with", "product", "7", world.pk, 3, 1, 1),
        ("for_you", "", "", 0, 0, 1, 0),
    ]


def test_orders_count_once_and_with_all_that_they_are_worth():
    show(clicked=True)
    show(item="b", clicked=True)
    buy(price=10, quantity=2)
    buy(item="b", price=60)
    Item.objects.create(external_id="c", title="c")
    buy(item="c", price=5)
    buy("gourmet", price=7, order="o2")
    measure()
    row = DailyFigure.objects.get()
    assert (row.orders, row.revenue, row.order_value) == (1, Decimal(80), Decimal(85))
    total = DailyTotal.objects.get()
    assert (total.orders, total.revenue) == (2, Decimal(92))
    assert (total.touched_orders, total.touched_value) == (1, Decimal(85))


def test_refunds_are_subtracted_on_the_day_of_the_purchase(time_machine):
    show(clicked=True)
    buy(price=10)
    measure()
    assert rows("orders", "revenue") == [(1, Decimal(10))]
    time_machine.move_to(NOON + timedelta(days=20))
    bought = Event.objects.get()
    Event.objects.create(
        kind="refund",
        visitor=bought.visitor,
        item=bought.item,
        price=10,
        quantity=1,
        basket="o1",
        time=NOON,
        key=f"refund:{bought.key.split(':')[1]}:1",
    )
    measure()
    assert rows("day", "impressions", "orders", "revenue") == [(TODAY, 1, 0, Decimal(0))]
    assert DailyTotal.objects.get().revenue == 0


def test_adding_to_the_cart_counts_without_revenue():
    show(clicked=True)
    Event.objects.create(
        kind="add_to_cart", visitor=Visitor.objects.get(key="other"), item=Item.objects.get(external_id="a"), time=NOON
    )
    measure()
    assert rows("cart_adds", "orders", "revenue") == [(1, 0, Decimal(0))]
    assert Conversion.objects.count() == 1


def test_measuring_again_changes_nothing():
    show(clicked=True)
    buy()
    measure()
    before = [list(model.objects.values_list("day", flat=True)) for model in (DailyFigure, DailyTotal, DailyExposure)]
    figures_before = rows("strategy", "impressions", "clicks", "orders", "revenue", "order_value")
    measure()
    assert rows("strategy", "impressions", "clicks", "orders", "revenue", "order_value") == figures_before
    after = [list(model.objects.values_list("day", flat=True)) for model in (DailyFigure, DailyTotal, DailyExposure)]
    assert sorted(map(len, before)) == sorted(map(len, after))


def test_late_clicks_are_counted_by_the_first_run_of_a_day(time_machine):
    late = show(days=3)
    measure()
    Impression.objects.filter(pk=late.pk).update(clicked=NOON)
    measure()
    assert rows("day", "clicks") == [(date(2026, 6, 7), 0)]
    time_machine.move_to(NOON + timedelta(days=1))
    measure()
    assert rows("day", "clicks") == [(date(2026, 6, 7), 1)]


def test_a_day_begins_at_midnight_in_the_shop(settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    one = show()
    Impression.objects.filter(pk=one.pk).update(time=datetime(2026, 6, 9, 15, 30, tzinfo=UTC))
    figures(date(2026, 6, 10))
    figures(date(2026, 6, 9))
    assert rows("day", "impressions") == [(date(2026, 6, 10), 1)]


def test_exposure_is_told_by_kind_of_item():
    for item in "aaab":
        show(item=item)
    measure()
    told = {(one.dimension, one.value): one.impressions for one in DailyExposure.objects.all()}
    assert told == {
        ("category", "Bikes"): 4,
        ("brand", "Northwind"): 4,
        ("price", "2"): 3,
        ("price", "50"): 1,
        ("newness", "known"): 3,
        ("newness", "new"): 1,
        ("gini", ""): 2_500,
    }


def test_gini_is_that_of_the_textbook():
    rng = np.random.default_rng(0)
    for _ in range(50):
        counts = rng.integers(0, 50, rng.integers(1, 30))
        if counts.sum():
            apart = np.abs(counts[:, None] - counts).mean() / (2 * counts.mean())
            assert gini(counts.tolist()) == pytest.approx(apart)
    assert gini([5, 5, 5]) == 0
    assert gini([]) == 0
    assert gini([0] * 99 + [7]) == pytest.approx(0.99)


def test_prices_fall_into_bands():
    assert [band(price) for price in (None, Decimal("0.5"), Decimal(1), Decimal("4.99"), Decimal(10**6))] == [
        "",
        "0",
        "1",
        "2",
        "1000",
    ]
