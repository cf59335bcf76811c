"""A shop of UUIDs, arrays, JSON and a key that ignores case: synced, imported, trained and served."""

import pytest
from django.conf import settings as django_settings
from django.test import RequestFactory

from ecomrec_django.conf import conf
from ecomrec_django.models import Event, Item
from ecomrec_django.serving.offers import offers
from ecomrec_django.tasks import run_training

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]
if django_settings.DATABASES["default"]["ENGINE"].endswith("postgresql"):
    from tests.hosts.postgres.models import Garment

# sku: (shelf, price, facts)
GARMENTS = {
    "boot": (["Wear", "Boots"], "90.00", {"brand": "Trail", "size": 42, "colours": ["red", "blue"]}),
    "boot-pro": (["Wear", "Boots"], "120.00", {"brand": "Trail", "size": 42}),
    "sock": (["Wear", "Socks"], "9.00", {"brand": "Trail", "wool": True}),
    "hat": (["Wear", "Hats"], "25.00", {}),
    "glove": (["Wear", "Gloves"], "30.00", {"note": 'a\\"b ü'}),
}


@pytest.fixture(params=["GarmentCatalog", "SkuCatalog"])
def shop(request, settings):
    """The garments by SKU, in a release that is published."""
    settings.ECOMREC = {**settings.ECOMREC, "CATALOG": f"tests.hosts.postgres.catalogs.{request.param}"}
    garments = {
        sku: Garment.objects.create(sku=sku, title=f"The {sku}", shelf=shelf, price=price, facts=facts)
        for sku, (shelf, price, facts) in GARMENTS.items()
    }
    run_training(publish=True)
    return garments


def key(shop, sku):
    return conf.CATALOG().external_id(shop[sku])


def test_every_product_is_mirrored_with_what_its_fields_say(shop):
    assert set(Item.objects.values_list("external_id", flat=True)) == {key(shop, sku) for sku in GARMENTS}
    boot = Item.objects.get(external_id=key(shop, "boot"))
    assert (boot.category.path, boot.brand) == ("Wear > Boots", "Trail")
    assert boot.attributes == {"size": "42", "colours": "['red', 'blue']"}
    assert Item.objects.get(external_id=key(shop, "glove")).attributes == {"note": 'a\\"b ü'}


def test_orders_are_imported_and_learned_from(shop):
    assert Event.objects.filter(kind="purchase").count() == 160
    for anchor, offered in (("boot", "sock"), ("sock", "boot"), ("hat", "glove")):
        shown = offers(RequestFactory().get("/"), "bought_with", [shop[anchor]], 1)
        assert [offer.item for offer in shown.offers] == [key(shop, offered)]


@pytest.mark.parametrize("shop", ["SkuCatalog"], indirect=True)
def test_a_key_that_ignores_case_finds_the_product_under_its_own_spelling(shop):
    assert conf.CATALOG().in_bulk(["BOOT", "none", "\0"], None) == {"boot": shop["boot"]}


@pytest.mark.parametrize("shop", ["GarmentCatalog"], indirect=True)
def test_what_is_no_uuid_is_no_product(shop):
    assert conf.CATALOG().in_bulk(["boot", "1", str(2**70), "\0"], None) == {}
