"""What fees, gifts, staff, a busy customer and guests do to the lists that come of the shop's orders."""

from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from ecomrec_django.models import OfferList
from ecomrec_django.strategies.base import Reason, decode_offers
from ecomrec_django.tasks import run_training
from ecomrec_django.testing import override_ecomrec
from tests.support.planted_shop import PlantedCatalog, facts, line

pytestmark = [pytest.mark.django_db, pytest.mark.once]

KINDS, PER_KIND, CUSTOMERS, BASKETS = 5, 4, 30, 5
STRATEGIES = {
    "bought_with": "ecomrec_django.strategies.bought_with.BoughtWith",
    "for_you": "ecomrec_django.strategies.for_you.ForYou",
}
FEE, GIFT = "postage", "sample"
# What one customer alone buys together, again and again, and what staff and one guest do.
BUSINESS, STAFF, GUEST = ("k3-0", "k4-3"), ("k0-0", "k1-1"), ("drill", "gloves")


class OddOrders:
    """Products of the same number are bought together across kinds. An order has a fee, every second a gift."""

    def __init__(self):
        self.rng, self.number = np.random.default_rng(1), 0
        self.newest = timezone.now().replace(microsecond=0) - timedelta(days=1)
        self.facts = [
            facts(f"k{kind}-{place}", f"Shop > Kind {kind}", f"{5 + 1.5 * place}")
            for kind in range(KINDS)
            for place in range(PER_KIND)
        ]
        self.facts += [facts(FEE, "Fees > Shipping", "4.90"), facts(GIFT, "Promotion > Samples", "0.00")]
        self.facts += [facts("drill", "Tools > Drills"), facts("gloves", "Safety > Gloves")]
        self.prices = {each.external_id: each.price for each in self.facts}
        self.lines = []
        staff = get_user_model().objects.create_user("clerk", is_staff=True).pk
        for customer in range(CUSTOMERS):
            for _ in range(BASKETS):
                place = self.rng.integers(PER_KIND)
                kinds = self.rng.choice(KINDS, 3, replace=False)
                own = {f"k{k}-{place if self.rng.random() < 0.7 else self.rng.integers(PER_KIND)}" for k in kinds}
                self.order(f"c{customer}", sorted(own), days=120 * self.rng.random())
        for _ in range(30):
            self.order("business", BUSINESS, days=20 * self.rng.random())
            self.order(str(staff), STAFF, days=20 * self.rng.random())
        for _ in range(5):
            self.order(None, GUEST, days=20 * self.rng.random())

    def order(self, user, names, days):
        self.number += 1
        for name in [*names, FEE, *([GIFT] if self.number % 2 else [])]:
            time = self.newest - timedelta(days=float(days))
            made = line(len(self.lines), name, order=f"o{self.number}", user=user, time=time)
            self.lines.append(made._replace(price=self.prices[name] or Decimal(0)))


@contextmanager
def open_shop():
    shop = OddOrders()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PlantedCatalog, "facts", shop.facts)
        patch.setattr(PlantedCatalog, "lines", shop.lines)
        yield


@pytest.fixture(scope="class")
def message(django_db_setup, django_db_blocker, tmp_path_factory):
    """The message of the training; its release is there for the tests of the class."""
    options = {
        "CATALOG": "tests.support.planted_shop.PlantedCatalog",
        "STRATEGIES": STRATEGIES,
        "ARTIFACTS": tmp_path_factory.mktemp("artifacts"),
    }
    with (
        django_db_blocker.unblock(),
        transaction.atomic(),
        override_ecomrec(**options),
        open_shop(),
    ):
        yield run_training(publish=True).message
        transaction.set_rollback(True)


@pytest.fixture
def lists(message):
    return [decode_offers(row.offers) for row in OfferList.objects.all()]


class TestAReleaseOfOddOrders:
    def test_a_fee_that_is_in_every_order_leads_no_list(self, lists):
        assert len(lists) > 20
        assert FEE not in {offers[0].item for offers in lists if len(offers) > 1}

    def test_a_fee_is_named(self, message):
        assert f"Products in most orders: “Title {FEE}” (100%)" in message

    def test_a_gift_goes_with_nothing(self, lists):
        assert GIFT not in {offer.item for offers in lists for offer in offers if offer.reason == Reason.TOGETHER}

    def test_what_one_customer_buys_together_is_not_said_to_go_together(self, lists):
        for pair in (BUSINESS, GUEST, STAFF):
            for anchor, other in (pair, pair[::-1]):
                rows = OfferList.objects.filter(strategy="bought_with", anchor__external_id=anchor)
                for row in rows:
                    found = {offer.item: offer.reason for offer in decode_offers(row.offers)}
                    assert found.get(other, Reason.POPULAR) == Reason.POPULAR

    def test_what_many_customers_buy_together_is(self, message):
        together = [
            (row.anchor.external_id, offer.item)
            for row in OfferList.objects.filter(strategy="bought_with", anchor__isnull=False).select_related("anchor")
            for offer in decode_offers(row.offers)
            if offer.reason == Reason.TOGETHER
        ]
        assert together
        assert {anchor[-1] == item[-1] for anchor, item in together} == {True}
