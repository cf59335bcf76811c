"""What was bought is credited to the last offer of it that was clicked, or else seen."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecomrec_django.insights.attribution import attribute, last_touch
from ecomrec_django.insights.daily_figures import measure
from ecomrec_django.models import Checkpoint, Conversion, DailyTotal, Event, Impression, Item, Visitor
from ecomrec_django.testing import override_ecomrec

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _items(planted_shop, time_machine):
    time_machine.move_to(NOON)
    Item.objects.bulk_create(Item(external_id=name, title=name, cost=cost) for name, cost in (("a", None), ("b", 3)))


def visitor(name="v"):
    return Visitor.objects.get_or_create(key=name)[0]


def show(item="a", days=0.0, clicked=None, who="v", **fields):
    """An impression ``days`` before noon, and a click ``clicked`` days before noon."""
    return Impression.objects.create(
        visitor=visitor(who),
        item=Item.objects.get(external_id=item),
        strategy="bought_with",
        position=1,
        time=NOON - timedelta(days=days),
        clicked=None if clicked is None else NOON - timedelta(days=clicked),
        key=str(Impression.objects.count()),
        **fields,
    )


def happen(kind="purchase", item="a", quantity=2, price="10.00", days=0.0, who="v", line=1, order="o1"):
    return Event.objects.create(
        kind=kind,
        visitor=visitor(who) if who else None,
        item=Item.objects.get(external_id=item),
        quantity=quantity,
        price=Decimal(price),
        basket=order if kind != "add_to_cart" else "",
        time=NOON - timedelta(days=days),
        key=None if kind == "add_to_cart" else f"{kind}:{line}" + (f":{quantity}" if kind == "refund" else ""),
    )


def credits():
    return [
        (one.impression_id, one.touch, one.quantity, one.revenue, one.margin)
        for one in Conversion.objects.order_by("event_id")
    ]


def test_a_purchase_is_credited_to_the_last_click_before_it():
    show(days=3, clicked=3)
    last = show(days=2, clicked=2)
    show(days=1)
    happen()
    assert attribute().credited == 1
    assert credits() == [(last.pk, "click", 2, Decimal(20), Decimal(20))]


def test_without_a_click_the_last_view_within_a_day_is_credited():
    show(days=0.9)
    last = show(days=0.5)
    happen()
    attribute()
    assert credits() == [(last.pk, "view", 2, Decimal(20), Decimal(20))]


@pytest.mark.parametrize(
    ("shown", "credited"),
    [
        ({"days": 7, "clicked": 7}, True),
        ({"days": 7.01, "clicked": 7.01}, False),
        ({"days": 7.5, "clicked": 6.9}, True),
        ({"days": 1}, True),
        ({"days": 1.01}, False),
        ({"days": -0.1}, False),
        ({"days": 0.5, "item": "b"}, False),
        ({"days": 0.5, "who": "another"}, False),
    ],
    ids=str,
)
def test_windows_items_and_visitors_are_kept_apart(shown, credited):
    show(**shown)
    happen()
    assert attribute().credited == credited


def test_the_windows_are_those_of_the_settings():
    show(days=2)
    happen()
    with override_ecomrec(ATTRIBUTION={"click_days": 7, "view_days": 2}):
        assert attribute().credited == 1


def test_margin_is_what_is_left_of_the_price_where_the_cost_is_known():
    show("b")
    happen(item="b")
    attribute()
    assert credits()[0][3:] == (Decimal(20), Decimal(14))


def test_an_add_to_cart_is_credited_without_revenue():
    shown = show(days=0.1)
    happen("add_to_cart", price="0")
    attribute()
    assert credits() == [(shown.pk, "view", 2, 0, 0)]
    assert not Conversion.objects.get().is_purchase


def test_a_refund_takes_back_its_part_and_a_full_one_all():
    show()
    happen(quantity=3)
    attribute()
    happen("refund", quantity=1)
    assert attribute().refunded == 1
    assert credits()[0][2:] == (2, Decimal(20), Decimal(20))
    Event.objects.filter(kind="refund").update(key="refund:1:1")
    happen("refund", quantity=2)
    attribute()
    assert credits()[0][2:] == (0, Decimal(0), Decimal(0))


def test_revenue_of_what_is_sold_by_weight_is_exact():
    seen = show(days=0.5)
    happen(quantity=Decimal("0.350"), price="9.99")
    measure()
    assert credits() == [(seen.pk, "view", Decimal("0.35"), Decimal("3.50"), Decimal("3.50"))]
    happen(kind="refund", quantity=Decimal("0.1"), price="9.99")
    measure()
    assert credits() == [(seen.pk, "view", Decimal("0.25"), Decimal("2.50"), Decimal("2.50"))]
    assert DailyTotal.objects.get().revenue == Decimal("2.50")


def test_refunds_before_the_first_attribution_count():
    show()
    happen(quantity=3)
    happen("refund", quantity=1)
    attribute()
    assert credits()[0][2:4] == (2, Decimal(20))


def test_looking_again_changes_nothing():
    show(clicked=0.1, days=0.2)
    happen()
    happen(line=2, item="b")
    happen("refund", quantity=1)
    attribute()
    before = list(Conversion.objects.values_list())
    Checkpoint.objects.filter(name="attribution").update(position={"done": 0, "days": {}})
    attribute()
    assert list(Conversion.objects.values_list()) == before


def test_offers_seen_before_a_login_are_credited(time_machine):
    show(days=0.3, who="cookie")
    happen(who="account")
    assert attribute().credited == 0
    Impression.objects.update(visitor=visitor("account"))
    assert attribute().credited == 0
    time_machine.move_to(NOON + timedelta(days=1))
    assert attribute().credited == 1


def test_a_guest_of_whom_nothing_is_known_is_credited_to_nobody():
    show()
    happen(who=None)
    assert attribute().credited == 0


def test_an_order_that_is_imported_late_is_found(time_machine):
    show(days=2, clicked=2)
    attribute()
    time_machine.move_to(NOON + timedelta(days=3))
    happen(days=1.5)
    assert attribute().credited == 1


def test_erasing_a_visitor_takes_the_credits_along():
    show()
    happen()
    attribute()
    visitor().delete()
    assert not Conversion.objects.exists()


def test_totals_count_every_order_once_though_a_chunk_ends_within_it(monkeypatch):
    for line in range(1, 8):
        happen(line=line, order=f"o{line // 3}", who=None if line == 7 else "v")
    happen("refund", line=2, quantity=1)
    monkeypatch.setattr("ecomrec_django.insights.attribution.CHUNK", 2)
    for _ in range(2):
        measure()
        total = DailyTotal.objects.get()
        assert (total.orders, total.revenue) == (3, Decimal(7 * 20 - 10))


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["v", "w"]),
        st.sampled_from("ab"),
        st.integers(0, 300),
        st.sampled_from(["show", "show", "click", "buy"]),
    ),
    max_size=24,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTS)
def test_a_plain_walk_through_each_history_finds_the_same(acts):
    for model in (Conversion, Impression, Event, Checkpoint):
        model.objects.all().delete()
    shown, bought = [], []
    for number, (who, item, hours, act) in enumerate(acts):
        days = hours / 24
        if act == "buy":
            bought.append((happen(who=who, item=item, days=days, line=number), who, item, hours))
        else:
            clicked = max(hours - 5, 0) if act == "click" else None
            one = show(who=who, item=item, days=days, clicked=None if clicked is None else clicked / 24)
            shown.append((one.pk, who, item, hours, clicked))
    expected = {}
    for event, who, item, hours in bought:
        own = [one for one in shown if one[1:3] == (who, item)]
        clicks = [(-one[4], one[0]) for one in own if one[4] is not None and 0 <= one[4] - hours <= 7 * 24]
        views = [(-one[3], one[0]) for one in own if 0 <= one[3] - hours <= 24]
        if clicks or views:
            expected[event.pk] = (max(clicks or views)[1], "click" if clicks else "view")
    attribute()
    assert {one.event_id: (one.impression_id, one.touch) for one in Conversion.objects.all()} == expected


def test_simultaneous_clicks_credit_the_later_impression():
    hour = timedelta(hours=1)
    both = [(1, NOON - hour, NOON), (2, NOON - hour, NOON)]
    assert last_touch(NOON, both, 7 * 24 * hour, 24 * hour) == (2, "click")
