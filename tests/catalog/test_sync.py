from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ecomrec_django.catalog.sync import sync
from ecomrec_django.conf import conf
from ecomrec_django.models import Category, Item
from ecomrec_django.pipeline.train import items_table
from example_shop.models import Category as Shelf
from example_shop.models import Product
from example_shop.recommendations import ShopCatalog
from tests.hosts.models import IntegerProduct, SlugProduct, UUIDProduct
from tests.planted import facts

pytestmark = pytest.mark.django_db


def counts(report):
    return report.created, report.updated, report.removed, report.unchanged, report.skipped


def test_products_become_items_with_their_category_tree(shop):
    shop.facts = [facts("a", "Food > Milk > Whole", brand="Dairy"), facts("b", "")]
    assert counts(sync()) == (2, 0, 0, 0, 0)
    item = Item.objects.get(external_id="a")
    assert (item.title, item.brand, item.price, item.category.path) == (
        "Title a",
        "Dairy",
        Decimal("1.00"),
        "Food > Milk > Whole",
    )
    assert item.category.aisle.path == "Food > Milk"
    assert item.category.parent.parent.name == "Food"
    assert Category.objects.get(name="Milk").aisle.name == "Milk"
    assert Item.objects.get(external_id="b").category is None


def test_only_what_changed_is_written(shop):
    shop.facts = [facts("a"), facts("b")]
    sync()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert counts(sync()) == (0, 0, 0, 2, 0)
    written = [q["sql"] for q in queries if q["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    # That the catalog was read is all there is to say.
    assert len(written) == 1
    assert "ecomrec_checkpoint" in written[0]
    first_seen = Item.objects.get(external_id="a").first_seen
    shop.facts[0] = facts("a", price="2.00")
    assert counts(sync()) == (0, 1, 0, 1, 0)
    item = Item.objects.get(external_id="a")
    assert (item.price, item.first_seen) == (Decimal("2.00"), first_seen)


def test_attributes_are_mirrored_and_only_what_they_say_makes_a_change(shop):
    shop.facts = [facts("a", attributes={"size": "M", "colour": "red"}), facts("b")]
    sync()
    items = Item.objects.in_bulk(field_name="external_id")
    assert (items["a"].attributes, items["b"].attributes) == ({"colour": "red", "size": "M"}, {})
    shop.facts[0] = facts("a", attributes={"colour": " red", "size": "M", "fit": ""})
    assert counts(sync()) == (0, 0, 0, 2, 0)
    shop.facts[0] = facts("a", attributes={"colour": "红色"})
    assert counts(sync()) == (0, 1, 0, 1, 0)
    assert Item.objects.get(external_id="a").attributes == {"colour": "红色"}
    assert items_table()["attributes"].to_pylist() == ["colour=红色", ""]


def test_attributes_are_bounded_and_each_is_one_line(shop):
    many = {f"name {number:03}": "x" * 300 for number in range(60)}
    shop.facts = [facts("a", attributes={**many, "a\nname": "two\nlines", "number": 7})]
    sync()
    found = Item.objects.get().attributes
    assert len(found) == 50
    assert found["a name"] == "two lines"
    assert found["name 000"] == "x" * 200
    assert len(items_table()["attributes"].to_pylist()[0].split("\n")) == 50


def test_attributes_are_read_from_named_fields_of_the_product():
    class Hiking(ShopCatalog):
        attributes = ("brand", "category.name", "sku", "description")

    product = Product(sku="A", title="Boot", brand="Trail", description="")
    assert Hiking().describe(product).attributes == {"brand": "Trail", "sku": "A"}
    product.category = Shelf(name="Boots")
    assert Hiking().describe(product).attributes == {"brand": "Trail", "category.name": "Boots", "sku": "A"}


def test_a_product_that_is_gone_becomes_inactive_and_active_when_back(shop):
    shop.facts = [facts("a"), facts("b")]
    sync()
    pk = Item.objects.get(external_id="b").pk
    gone = shop.facts.pop()
    assert counts(sync()) == (0, 0, 1, 1, 0)
    assert not Item.objects.get(pk=pk).active
    assert counts(sync()) == (0, 0, 0, 1, 0)
    shop.facts.append(gone)
    assert counts(sync()) == (0, 1, 0, 1, 0)
    assert Item.objects.get(pk=pk).active


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (facts("bad", price="NaN"), "its price NaN"),
        (facts("bad", price="-1"), "its price -1"),
        (facts("bad", price="1e12"), "its price 1E+12"),
        (facts("x" * 129), "longer than 128"),
        (facts(""), "it has no id"),
        (facts("good"), "its id was given to another product"),
        (facts("bad", rating=float("inf")), "its rating inf"),
        (ZeroDivisionError("planted"), "ZeroDivisionError: planted"),
    ],
)
def test_a_bad_product_is_counted_and_the_rest_go_on(shop, bad, reason):
    shop.facts = [facts("good"), bad, facts("other")]
    report = sync()
    assert counts(report) == (2, 0, 0, 0, 1)
    assert reason in next(iter(report.reasons))
    assert set(Item.objects.values_list("external_id", flat=True)) == {"good", "other"}


def test_a_known_product_that_turns_bad_stays_as_it_was(shop):
    shop.facts = [facts("a", price="3.00")]
    sync()
    shop.facts = [facts("a", price="NaN")]
    assert counts(sync()) == (0, 0, 0, 0, 1)
    item = Item.objects.get()
    assert (item.price, item.active) == (Decimal("3.00"), True)


def test_an_empty_shop_is_fine(shop, capsys):
    call_command("ecomrec_sync")
    assert "0 created" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("catalog", "model", "key"),
    [
        ("IntegerCatalog", IntegerProduct, {}),
        ("UUIDCatalog", UUIDProduct, {}),
        ("SlugCatalog", SlugProduct, {"slug": "red-shoe"}),
    ],
)
def test_products_with_any_kind_of_key_are_mirrored_and_found_again(settings, catalog, model, key):
    settings.ECOMREC = {**settings.ECOMREC, "CATALOG": f"tests.hosts.catalogs.{catalog}"}
    product = model.objects.create(title="Shoe", price="5.00", category="Wear > Shoes", **key)
    sync()
    item = Item.objects.get()
    assert item.external_id == str(product.pk)
    assert item.category.path == "Wear > Shoes"
    found = conf.CATALOG().in_bulk([item.external_id, "nothing", ""], None)
    assert found == {item.external_id: product}


def test_a_category_tree_costs_queries_per_category_not_per_product(settings):
    settings.ECOMREC = {**settings.ECOMREC, "CATALOG": "example_shop.recommendations.ShopCatalog"}
    shelf = Shelf.objects.create(name="Milk", slug="milk", parent=Shelf.objects.create(name="Food", slug="food"))
    Product.objects.bulk_create(Product(sku=str(n), title="Milk", price=1, category=shelf) for n in range(50))
    with CaptureQueriesContext(connection) as queries:
        assert sync().created == 50
    assert len(queries) < 30


def test_a_page_reads_products_without_their_categories_and_in_no_order():
    sql = str(ShopCatalog().live_products().query)
    assert "JOIN" not in sql
    assert "ORDER BY" not in sql
