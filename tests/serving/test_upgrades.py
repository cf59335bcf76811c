"""Upgrades beside a product are compared with its live size and title."""

import pytest
from django.test import RequestFactory

from ecomrec_django.failures import failure_counts, reset_failures
from ecomrec_django.learning.amounts import Amount
from ecomrec_django.serving.offers import offers
from ecomrec_django.testing import override_ecomrec, publish_offers
from tests.support.catalogs import CartCatalog

pytestmark = pytest.mark.usefixtures("integer_key_shop")


STRATEGIES = {"upgrade_to": "ecomrec_django.strategies.upgrade_to.UpgradeTo"}


class SizedCatalog(CartCatalog):
    grams: dict[int, float] = {}

    def product_amount(self, product):
        return Amount(self.grams[product.pk], "g") if product.pk in self.grams else None


class UnreadableCatalog(CartCatalog):
    def product_amount(self, product):
        raise ValueError("planted")


class SameTitleCatalog(CartCatalog):
    def display_title(self, product):
        return "COFFEE, 500 g" if product.pk == 9 else "Coffee 500g"


def block(catalog):
    reset_failures()
    publish_offers({"upgrade_to": {"8": ["9"]}})
    with override_ecomrec(CATALOG=catalog, STRATEGIES=STRATEGIES):
        return offers(RequestFactory().get("/"), "upgrade_to", ["8"]).offers


@pytest.mark.parametrize(
    ("grams", "shown"), [({}, 1), ({8: 500, 9: 400}, 0), ({8: 500, 9: 500}, 0), ({8: 500, 9: 600}, 1)]
)
def test_a_size_that_changed_since_the_training_counts(grams, shown):
    assert len(block(type("Sized", (SizedCatalog,), {"grams": grams}))) == shown


def test_an_offer_of_the_same_title_is_left_out():
    assert block(SameTitleCatalog) == []


def test_a_size_that_cannot_be_read_is_counted_and_unknown():
    assert [offer.item for offer in block(UnreadableCatalog)] == ["9"]
    assert failure_counts[("product_amount", "ValueError")] >= 1
