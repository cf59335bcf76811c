"""The evidence of pairs: the same figures as the shop's own order tables give, down to the orders themselves."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from ecomrec_django.conf import conf
from ecomrec_django.insights import pair_evidence as evidence
from ecomrec_django.insights.pair_evidence import pair_evidence
from ecomrec_django.models import Item, OfferList, Visitor
from ecomrec_django.strategies.base import Reason, decode_offers, evidence_of
from ecomrec_django.tasks import run_sync
from ecomrec_django.testing import publish_offers
from ecomrec_django.tracking.importers.orders import import_purchases
from ecomrec_django.tracking.visitors import user_key
from example_shop.models import Category, Order, OrderLine, Product
from example_shop.recommendations import ShopCatalog

PAIRS = 200
START = datetime(2026, 1, 1, tzinfo=UTC)
# Of one item, or of two in one order: what was kept of orders that stand.
KEPT = "line.quantity > line.refunded AND placed.status <> 'cancelled'"
BOTH = f"""
SELECT count(DISTINCT placed.id), count(DISTINCT coalesce(placed.user_id, -placed.id))
FROM shop_orderline line
JOIN shop_order placed ON placed.id = line.order_id
JOIN shop_orderline other ON other.order_id = placed.id AND other.sku = %s AND other.quantity > other.refunded
WHERE line.sku = %s AND {KEPT}
"""


def asked(sql, *values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone()


@pytest.fixture
def shop(db):
    """Sixty products of a dozen kinds, and orders of people who like some of them together; some give things back."""
    draw = random.Random(5)
    kinds = [Category.objects.create(name=f"Kind {n}", slug=f"kind-{n}") for n in range(12)]
    products = Product.objects.bulk_create(
        Product(sku=f"P{n}", title=f"Product {n}", category=kinds[n % 12], price=n + 1) for n in range(60)
    )
    users = User.objects.bulk_create(User(username=f"customer-{n}") for n in range(90))
    orders = Order.objects.bulk_create(
        Order(
            number=f"N{n}",
            user=draw.choice([None, *users]) if n % 5 else draw.choice(users),
            placed=START + timedelta(hours=n * 5),
            status="cancelled" if n % 17 == 0 else "paid",
        )
        for n in range(900)
    )
    lines = []
    for order in orders:
        about = draw.randrange(8)
        # Each taste has eight products, of different kinds.
        some = draw.sample(products[about * 7 : about * 7 + 8], draw.randint(2, 6)) + draw.sample(products, 1)
        lines += [
            OrderLine(
                order=order,
                product=product,
                sku=product.sku,
                quantity=(many := draw.randint(1, 3)),
                refunded=many if draw.random() < 0.1 else 0,
                unit_price=product.price,
            )
            for product in set(some)
        ]
    OrderLine.objects.bulk_create(lines)


@pytest.fixture
def pair(shop):
    """Two products often bought together, without a training."""
    run_sync()
    import_purchases()
    release = publish_offers({"bought_with": {"P0": ["P1"]}})
    items = {item.external_id: item for item in Item.objects.all()}
    return items["P0"], items["P1"], release


def pairs():
    """Pairs bought together that stand in lists, at random, with their offer."""
    found = [
        (row, offer)
        for row in OfferList.objects.filter(strategy="bought_with", anchor__isnull=False).select_related("anchor")
        for offer in decode_offers(row.offers)
        if offer.reason is Reason.TOGETHER
    ]
    return random.Random(7).sample(found, PAIRS)


def test_figures_are_those_of_the_shops_own_tables(shop):
    call_command("ecomrec_train", publish=True, verbosity=0)
    for row, offer in pairs():
        anchor = row.anchor
        orders, customers = asked(BOTH, offer.item, anchor.external_id)
        stored = evidence_of(offer)
        assert stored["orders"] == orders
        # A lower bound: two customers may share one of sixty marks.
        assert 3 <= stored["customers"] <= customers
        assert stored["lift"] == pytest.approx(orders / stored["expected"], rel=2e-3)
        assert 0 < stored["expected"] < orders
        assert stored["llr"] >= 10.8


def test_the_orders_named_hold_both(pair, django_assert_num_queries):
    with django_assert_num_queries(2):
        found = pair_evidence(*pair, "bought_with")
    assert len(found.latest) == min(found.orders, 50) > 3
    for one in found.latest:
        skus = set(OrderLine.objects.filter(order__number=one.order).values_list("sku", flat=True))
        assert {"P0", "P1"} <= skus
    assert [one.time for one in found.latest] == sorted((one.time for one in found.latest), reverse=True)
    assert (found.contributions, found.similarities) == ([], {})


def test_visitors_without_consent_are_not_counted(pair):
    before = pair_evidence(*pair, "")
    named = Order.objects.filter(number__in=[one.order for one in before.latest], user__isnull=False).first()
    Visitor.objects.filter(key=user_key(str(named.user_id))).update(excluded_until=timezone.now() + timedelta(days=999))
    after = pair_evidence(*pair, "")
    assert after.orders < before.orders
    assert named.number not in [one.order for one in after.latest]


def test_the_latest_orders_of_bestsellers_are_counted(pair, monkeypatch):
    monkeypatch.setattr(evidence, "LATEST_LINES", 20)
    found = pair_evidence(*pair, "")
    assert found.capped
    assert found.anchor_orders <= 20


def test_orders_lead_to_the_shops_own_admin(shop, django_assert_num_queries):
    order = Order.objects.first()
    with django_assert_num_queries(1):
        urls = conf.CATALOG().order_admin_urls([order.number, "no such order"])
    assert urls == {order.number: f"/admin/shop/order/{order.pk}/change/"}


def test_orders_known_by_their_primary_key_lead_there_too(shop, monkeypatch):
    monkeypatch.setattr(ShopCatalog, "order_key", "pk")
    order = Order.objects.first()
    assert conf.CATALOG().order_admin_urls([str(order.pk)]) == {str(order.pk): f"/admin/shop/order/{order.pk}/change/"}
