import pytest
from django.utils import translation

from ecomrec_django.catalog.categories import aligned
from ecomrec_django.catalog.sync import sync
from ecomrec_django.models import Category, Item
from ecomrec_django.serving.offers import offers
from ecomrec_django.testing import publish_offers
from example_shop.models import Category as Shelf
from example_shop.models import Product
from tests.support.planted_shop import facts

pytestmark = pytest.mark.django_db


def shelf(name, parent=None):
    return Shelf.objects.create(name=name, parent=parent, slug=f"{name}-{Shelf.objects.count()}".lower())


def product(sku, category):
    return Product.objects.create(sku=sku, title=sku, price=1, stock=1, category=category)


@pytest.fixture
def wine(db):
    """The category Food > Alcohol > Wine of the shop, with one product in it."""
    leaf = shelf("Wine", shelf("Alcohol", shelf("Food")))
    product("merlot", leaf)
    product("bread", shelf("Bread", leaf.parent.parent))
    sync()
    return leaf


def mirror(sku="merlot"):
    return Item.objects.get(external_id=sku).category


def test_a_renamed_category_is_the_same_one(wine):
    before, above = mirror(), mirror().parent
    Shelf.objects.filter(name="Alcohol").update(name="Drinks")
    sync()
    assert (mirror().pk, mirror().path) == (before.pk, "Food > Drinks > Wine")
    assert mirror().aisle == mirror().parent == above
    assert Category.objects.count() == 4


def test_a_moved_category_is_the_same_one(wine):
    before = mirror()
    wine.parent = None
    wine.save()
    sync()
    assert (mirror().pk, mirror().path, mirror().parent, mirror().aisle) == (before.pk, "Wine", None, mirror())


def test_a_category_without_products_follows_the_one_above(wine):
    rose = shelf("Rosé", wine)
    gone = product("gone", rose)
    sync()
    row = mirror("gone")
    gone.delete()
    Shelf.objects.filter(name="Food").update(name="Groceries")
    sync()
    row.refresh_from_db()
    assert row.path == "Groceries > Alcohol > Wine > Rosé"


def test_two_categories_may_swap_their_names(wine):
    red = mirror()
    product("toast", shelf("Toast", wine.parent))
    sync()
    toast = mirror("toast")
    Shelf.objects.filter(name="Toast").update(name="Swapped")
    Shelf.objects.filter(name="Wine").update(name="Toast")
    Shelf.objects.filter(name="Swapped").update(name="Wine")
    sync()
    assert (mirror().pk, mirror().name, mirror("toast").pk, mirror("toast").name) == (red.pk, "Toast", toast.pk, "Wine")


def test_categories_of_one_name_are_told_apart(wine):
    twin = shelf("Wine", wine.parent)
    product("port", twin)
    sync()
    assert mirror("port").path == mirror().path
    assert mirror("port") != mirror()


def test_a_shop_that_makes_all_categories_anew_keeps_them(wine):
    rows = set(Category.objects.values_list("pk", "path"))
    again = shelf("Wine", shelf("Alcohol", shelf("Food")))
    Product.objects.filter(sku="merlot").update(category=again)
    Product.objects.filter(sku="bread").update(category=shelf("Bread", again.parent.parent))
    Shelf.objects.filter(pk=wine.parent.parent.pk).delete()
    sync()
    assert set(Category.objects.values_list("pk", "path")) == rows
    assert mirror().key == str(again.pk)
    sync()
    assert set(Category.objects.values_list("pk", "path")) == rows


def test_a_path_becomes_the_category_that_gets_a_key(planted_shop):
    planted_shop.facts = [facts("a", "Food > Wine")]
    sync()
    before = mirror("a")
    planted_shop.facts = [facts("a", "Food > Wine", category_keys=("1", "2"))]
    sync()
    assert (mirror("a").pk, mirror("a").key, mirror("a").parent.key) == (before.pk, "2", "1")
    planted_shop.facts = [facts("a", "Food > Drinks", category_keys=("1", "2"))]
    sync()
    assert (mirror("a").pk, mirror("a").path) == (before.pk, "Food > Drinks")
    assert Category.objects.count() == 2


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (("1", "2"), ("1", "2")),
        (("0", "1", "2"), ("1", "2")),
        (("2",), ("", "2")),
        (("1", "1"), ()),
        (("", ""), ()),
        ((), ()),
    ],
    ids=str,
)
def test_keys_belong_to_the_last_names(keys, expected):
    assert aligned(keys, ("Food", "Wine")) == expected


class TranslatedName:
    """A field with a text in each language, as of django-modeltranslation."""

    def __get__(self, own, kind=None):
        if own is None:
            return self
        name = own.__dict__["name"]
        return name if translation.get_language().startswith("en") else f"{name} auf Deutsch"

    def __set__(self, own, value):
        own.__dict__["name"] = value


@pytest.fixture
def translated(monkeypatch):
    monkeypatch.setattr(Shelf, "name", TranslatedName())


def offered(category):
    return [offer.item for offer in offers(None, "for_you", (), 4, category).offers]


@pytest.mark.parametrize("language", ["en", "de", "zh-hans"])
def test_all_languages_see_the_same_offers(wine, translated, language):
    with translation.override(language):
        sync()
    assert mirror().path == "Food > Alcohol > Wine"
    publish_offers({"for_you": {"Food > Alcohol > Wine": ["merlot"]}})
    with translation.override(language):
        assert offered(Shelf.objects.get(name="Wine")) == ["merlot"]
        assert offered("Food > Alcohol > Wine") == ["merlot"]


def test_a_category_page_keeps_its_offers_when_it_is_renamed(wine):
    publish_offers({"for_you": {"Food > Alcohol > Wine": ["merlot"]}})
    wine.name = "Vino"
    wine.save()
    assert offered(wine) == ["merlot"]
    sync()
    assert offered(wine) == offered("Food > Alcohol > Vino") == ["merlot"]
