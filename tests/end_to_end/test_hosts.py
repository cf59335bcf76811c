"""Shops of other shapes run from their first migration to offers on their pages and back, each on another database."""

import re

import pytest
from django.conf import settings

from tests.support.host_projects import HostProject
from tests.support.processes import own_database

ENGINE = settings.DATABASES["default"]["ENGINE"].rsplit(".", 1)[1]
NAME = {"sqlite3": "bikes", "mysql": "grocer", "postgresql": "bazaar"}[ENGINE]
BLOCKS = {
    # Parts of a product's page, which names what goes with the product and what is better.
    "product_page()": {
        "bikes": ["Krypt folding lock", "£59.90", "Velox City 7 with lights", "+£100.00", 'action="/cart/add/5/"'],
        "grocer": ["Oro Tomatensoße 400 ml", '"price":"1.89"', "Bella Spaghetti aus Urweizen 750 g"],
        "bazaar": ["Clay teapot", "€48.00", "Sencha, first harvest", "+€3.00", "<h3 "],
    },
    # The same where shops have more than one language, currency, or way to ask.
    {"bikes": "offers()", "grocer": "list_page()", "bazaar": "product_page('de', 'USD')"}[NAME]: {
        "bikes": ['"title":"Krypt folding lock"', '"price":"59.90"'],
        "grocer": ["Bella Spaghetti 500 g"],
        "bazaar": ["Teekanne aus Ton", "60,00\xa0$", "Sencha-Tee, erste Ernte", "+3,75\xa0$"],
    },
}
IN_CART, BESIDE_CART = {
    "bikes": ("Krypt folding lock", "Nutcase street helmet"),
    "grocer": ("Oro Tomatensoße 400 ml", "Alm Hartkäse gerieben 100 g"),
    "bazaar": ("Clay teapot", "Strainer"),
}[NAME]
ORDERED, PRICE = {
    "bikes": ("Floor pump", "24.99"),
    "grocer": ("Mühle Weizenmehl 1 kg", "0.99"),
    "bazaar": ("Hand grinder", "64.00"),
}[NAME]

# Opens every page of the recommendations in the admin, and the first row of each list.
ADMIN = """
import journey
from django.apps import apps
from django.contrib import admin
from django.urls import reverse
staff = journey.staff()
journey.page(staff, reverse("admin:ecomrec_release_overview"))
for model in apps.get_app_config("ecomrec").get_models():
    if model in admin.site._registry:
        name = f"admin:ecomrec_{model._meta.model_name}"
        journey.page(staff, reverse(f"{name}_changelist"))
        row = model._default_manager.first()
        if row is not None:
            journey.page(staff, reverse(f"{name}_change", args=[row.pk]))
        print(model._meta.model_name)
"""
LATEST = """
from ecomrec_django.models import Event
for event in Event.objects.exclude(visitor=None).order_by("-pk")[:3]: print(event.kind, event.item.title, event.price)
"""
LEFT = """
from django.contrib.contenttypes.models import ContentType
from django.db import connection
print([table for table in connection.introspection.table_names() if table.startswith("ecomrec")])
print(list(ContentType.objects.filter(app_label="ecomrec")))
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Migrated, filled, trained and published."""
    folder = tmp_path_factory.mktemp("host")
    with own_database(folder) as database:
        shop = HostProject(NAME, folder, database)
        shop.manage("check", "--fail-level", "WARNING")
        shop.manage("migrate", "--verbosity", "0")
        shop.manage("seed")
        shop.manage("ecomrec_sync")
        shop.manage("ecomrec_train")
        shop.manage("ecomrec_publish", "1")
        yield shop


def journey(shop, step):
    """What a function of the project's own journey.py returns."""
    return shop.ask(f"import journey; print(journey.{step})")


def offers(page):
    """The part of a page that is ours; an answer of the API as it is."""
    return "".join(re.findall(r"<section class=\"ecomrec-block.*?</section>", page, re.DOTALL)) or page


def published(shop):
    return shop.ask("from ecomrec_django.models import Publication; print(Publication.objects.get().release_id)")


@pytest.mark.parametrize("step", BLOCKS)
def test_a_block_shows_offers_as_the_shop_writes_them(shop, step):
    page = offers(journey(shop, step))
    assert [text for text in BLOCKS[step][NAME] if text not in page] == []


def test_the_cart_page_offers_what_is_not_in_the_cart(shop):
    page = offers(journey(shop, "cart_page()"))
    assert BESIDE_CART in page
    assert IN_CART not in page


def test_an_order_is_imported_at_once_and_belongs_to_who_looked(shop):
    journey(shop, "buy()")
    kinds = shop.ask(LATEST).splitlines()
    assert kinds == [f"purchase {ORDERED} {PRICE}", f"add_to_cart {ORDERED} None", f"view_item {ORDERED} None"]


def test_every_page_of_the_admin_opens(shop):
    assert {"release", "offerlist", "item", "event", "trainingrun"} <= set(shop.ask(ADMIN).splitlines())


def test_a_later_release_can_be_rolled_back(shop):
    shop.manage("ecomrec_train", "--publish")
    assert published(shop) == "2"
    shop.manage("ecomrec_rollback")
    assert published(shop) == "1"
    assert BLOCKS["product_page()"][NAME][0] in offers(journey(shop, "product_page()"))


class TestAfterwards:
    """Comes last: there is nothing left to test after it."""

    def test_the_shop_goes_on_without_the_package(self, shop):
        shop.manage("ecomrec_roles")
        lines = shop.manage("ecomrec_uninstall", "--noinput")
        assert ("scheduled tasks: recommendations" in lines) == (NAME == "bazaar")
        assert shop.ask(LEFT).splitlines() == ["[]", "[]"]
        assert shop.manage("ecomrec_uninstall").strip() == "Nothing is left to remove."
        assert not (shop.project / "var").exists() or not list((shop.project / "var").iterdir())
        assert "ecomrec-offer" not in journey(shop, "product_page()")
