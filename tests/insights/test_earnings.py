"""Reports add up the rows of days."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from ecomrec_django.errors import DataError
from ecomrec_django.insights.earnings import exposure, latest, period, report, totals, wilson
from ecomrec_django.models import Arm, DailyExposure, DailyFigure, DailyTotal, Experiment, Segment

pytestmark = pytest.mark.django_db
FIRST = date(2026, 6, 1)


def figure(day=0, **fields):
    return DailyFigure.objects.create(day=FIRST + timedelta(days=day), **{"strategy": "bought_with", **fields})


def told(by, *names, until=6, **only):
    lines = report(FIRST, FIRST + timedelta(days=until), by, only)
    return [tuple(getattr(line, name) for name in names) for line in lines]


def test_days_add_up_by_strategy_the_greatest_revenue_first():
    figure(0, impressions=100, clicks=4, orders=1, revenue=10, margin=4, order_value=30)
    figure(1, impressions=50, clicks=1, orders=1, revenue=5, margin=1, order_value=10)
    figure(0, strategy="for_you", impressions=10, orders=2, revenue=40)
    figure(9, impressions=10**6)
    assert told("strategy", "value", "impressions", "clicks", "orders", "revenue", "margin") == [
        ("for_you", 10, 0, 2, Decimal(40), Decimal(0)),
        ("bought_with", 150, 5, 2, Decimal(15), Decimal(5)),
    ]
    (line,) = report(FIRST, FIRST + timedelta(days=6), "strategy", {"strategy": "bought_with"})
    assert line.ctr == pytest.approx(5 / 150)
    assert line.average_order == Decimal(20)


def test_every_dimension_has_names_that_people_know():
    segment = Segment.objects.create(label=1, description="gourmets")
    experiment = Experiment.objects.create(name="first", slot="product")
    arm = Arm.objects.create(experiment=experiment, name="b")
    figure(0, segment=segment.pk, arm=str(arm.pk), slot="product", release=3, impressions=2)
    figure(1, impressions=1)
    assert told("segment", "label") == [("gourmets",), ("none",)]
    assert told("arm", "label") == [("first: b",), ("no experiment",)]
    assert told("slot", "label") == [("product",), ("no slot",)]
    assert told("release", "value", "label") == [("3", "3"), ("0", "none")]
    assert told("day", "value") == [("2026-06-01",), ("2026-06-02",)]
    assert told("strategy", "impressions", slot="product") == [(2,)]
    assert told("strategy", "impressions", segment=str(segment.pk), arm=str(arm.pk)) == [(2,)]


@pytest.mark.parametrize(
    ("by", "only", "said"),
    [
        ("price", {}, "“by” must be one of"),
        ("day", {"day": "2026-06-01"}, "day"),
        ("day", {"visitor": "1"}, "visitor"),
        ("day", {"segment": "x"}, "segment"),
        ("day", {"release": "9" * 30}, "release"),
    ],
)
def test_invalid_reports_are_rejected_by_name(by, only, said):
    with pytest.raises(DataError, match=said):
        report(FIRST, FIRST, by, only)


def test_a_period_runs_forward_and_is_no_longer_than_two_years():
    assert period(FIRST, FIRST) == (FIRST, FIRST)
    assert latest(7, FIRST) == (date(2026, 5, 26), FIRST)
    for until, said in ((FIRST - timedelta(days=1), "is before"), (FIRST + timedelta(days=731), "at most 731")):
        with pytest.raises(DataError, match=said):
            period(FIRST, until)


def test_orders_with_and_without_offers_are_told_apart():
    DailyTotal.objects.create(day=FIRST, orders=10, revenue=200, touched_orders=4, touched_value=120)
    shop = totals(FIRST, FIRST)
    assert (shop.average_with, shop.average_without) == (Decimal(30), pytest.approx(Decimal(80) / 6))
    empty = totals(FIRST + timedelta(days=1), FIRST + timedelta(days=2))
    assert (empty.orders, empty.average_with, empty.average_without) == (0, None, None)


def test_exposure_adds_up_and_tells_shares():
    for day, dimension, value, many in (
        (0, "brand", "x", 30),
        (1, "brand", "x", 30),
        (1, "brand", "y", 20),
        (0, "gini", "", 4_000),
        (1, "gini", "", 6_000),
    ):
        DailyExposure.objects.create(
            day=FIRST + timedelta(days=day), dimension=dimension, value=value, impressions=many
        )
    found = exposure(FIRST, FIRST + timedelta(days=6))
    assert found["brand"] == [("x", 60, 0.75), ("y", 20, 0.25)]
    assert found["gini"][0][2] == pytest.approx(0.5)


def test_the_interval_of_a_share_is_that_of_wilson():
    # Newcombe 1998, table I: 81 of 263.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
