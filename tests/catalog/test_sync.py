from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ecomrec_django.catalog.sync import sync
from ecomrec_django.conf import conf
from ecomrec_django.errors import DataError
from ecomrec_django.models import Category, Item
from ecomrec_django.pipeline.dataset import items_table
from ecomrec_django.tasks import run_training
from example_shop.models import Category as Shelf
from example_shop.models import Product
from example_shop.recommendations import ShopCatalog
from tests.hosts.models import IntegerProduct, SlugProduct, UUIDProduct
from tests.support.planted_shop import facts

pytestmark = pytest.mark.django_db


def counts(report):
    return report.created, report.updated, report.removed, report.unchanged, report.skipped


def test_products_become_items_with_their_category_tree(planted_shop):
    planted_shop.facts = [facts("a", "Food > Milk > Whole", brand="Dairy"), facts("b", "")]
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


def test_only_changes_are_written(planted_shop):
    planted_shop.facts = [facts("a"), facts("b")]
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
    planted_shop.facts[0] = facts("a", price="2.00")
    assert counts(sync()) == (0, 1, 0, 1, 0)
    item = Item.objects.get(external_id="a")
    assert (item.price, item.first_seen) == (Decimal("2.00"), first_seen)


def test_only_changed_attributes_update_an_item(planted_shop):
    planted_shop.facts = [facts("a", attributes={"size": "M", "colour": "red"}), facts("b")]
    sync()
    items = Item.objects.in_bulk(field_name="external_id")
    assert (items["a"].attributes, items["b"].attributes) == ({"colour": "red", "size": "M"}, {})
    planted_shop.facts[0] = facts("a", attributes={"colour": " red", "size": "M", "fit": ""})
    assert counts(sync()) == (0, 0, 0, 2, 0)
    planted_shop.facts[0] = facts("a", attributes={"colour": "红色"})
    assert counts(sync()) == (0, 1, 0, 1, 0)
    assert Item.objects.get(external_id="a").attributes == {"colour": "红色"}
    assert items_table()["attributes"].to_pylist() == ["colour=红色", ""]


def test_descriptions_are_mirrored_without_markup(planted_shop):
    planted_shop.facts = [facts("a", description="<p>Boils&nbsp;water</p><p>fast</p>"), facts("b", description="Steel")]
    sync()
    assert list(Item.objects.order_by("external_id").values_list("description", flat=True)) == [
        "Boils water fast",
        "Steel",
    ]
    # What is compared is what the shop says.
    assert counts(sync()) == (0, 0, 0, 2, 0)


def test_attributes_are_bounded_and_each_is_one_line(planted_shop):
    many = {f"name {number:03}": "x" * 300 for number in range(60)}
    planted_shop.facts = [facts("a", attributes={**many, "a\nname": "two\nlines", "number": 7})]
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


def test_removed_products_become_inactive_until_they_return(planted_shop):
    planted_shop.facts = [facts("a"), facts("b")]
    sync()
    pk = Item.objects.get(external_id="b").pk
    gone = planted_shop.facts.pop()
    assert counts(sync()) == (0, 0, 1, 1, 0)
    assert not Item.objects.get(pk=pk).active
    assert counts(sync()) == (0, 0, 0, 1, 0)
    planted_shop.facts.append(gone)
    assert counts(sync()) == (0, 1, 0, 1, 0)
    assert Item.objects.get(pk=pk).active


@pytest.fixture
def large_shop(planted_shop):
    planted_shop.facts = [facts(f"p{number}") for number in range(50)]
    sync()
    return planted_shop


@pytest.mark.parametrize("left", [0, 10, 24])
def test_a_catalog_that_lost_most_of_its_products_is_held_back(large_shop, left):
    large_shop.facts = [*large_shop.facts[:left], facts("new")]
    with pytest.raises(CommandError, match=rf"{50 - left} products are gone .* ecomrec_sync --force"):
        call_command("ecomrec_sync")
    assert Item.objects.filter(active=True).count() == 51
    out = StringIO()
    call_command("ecomrec_sync", force=True, stdout=out)
    assert f"{50 - left} removed" in out.getvalue()
    assert Item.objects.filter(active=True).count() == left + 1


def test_half_of_a_catalog_may_go_and_so_may_a_few_products(large_shop):
    large_shop.facts = large_shop.facts[:25]
    assert counts(sync()) == (0, 0, 25, 25, 0)
    large_shop.facts = large_shop.facts[:5]
    assert counts(sync()) == (0, 0, 20, 5, 0)


def test_a_training_of_such_a_catalog_fails_and_says_why(large_shop):
    large_shop.facts = []
    with pytest.raises(DataError, match="50 products are gone"):
        run_training()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (facts("bad", price="NaN"), "its price NaN"),
        (facts("bad", price="-1"), "its price -1"),
        (facts("bad", price="1e12"), "its price 1E+12"),
        (facts("x" * 129), "longer than 128"),
        (facts(""), "it has no id"),
        (facts("b\0d"), "its id holds a character that databases cannot store"),
        (facts("good"), "another product has the same id"),
        (facts("bad", rating=float("inf")), "its rating inf"),
        (ZeroDivisionError("planted"), "ZeroDivisionError: planted"),
    ],
)
def test_a_bad_product_is_counted_and_the_rest_go_on(planted_shop, bad, reason):
    planted_shop.facts = [facts("good"), bad, facts("other")]
    report = sync()
    assert counts(report) == (2, 0, 0, 0, 1)
    assert reason in report.reasons[0].message
    assert set(Item.objects.values_list("external_id", flat=True)) == {"good", "other"}


def test_characters_that_no_database_stores_are_left_out_of_texts(planted_shop):
    planted_shop.facts = [
        facts("aé", "Fo\0od > Milk", brand="Da\0iry\ud800", attributes={"si\0ze": "\0M"}),
        facts("b"),
    ]
    assert counts(sync()) == (2, 0, 0, 0, 0)
    item = Item.objects.get(external_id="aé")
    assert (item.title, item.brand, item.category.path) == ("Title aé", "Dairy?", "Food > Milk")
    assert item.attributes == {"size": "M"}
    assert counts(sync()) == (0, 0, 0, 2, 0)


@pytest.mark.django_db(transaction=True)
def test_a_product_whose_own_query_fails_does_not_stop_the_others(planted_shop, monkeypatch):
    describe = planted_shop.describe

    def failing(catalog, product):
        if product.external_id == "bad":
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM no_such_table")
        return describe(catalog, product)

    monkeypatch.setattr(planted_shop, "describe", failing)
    planted_shop.facts = [facts("good"), facts("bad"), facts("other")]
    assert counts(sync()) == (2, 0, 0, 0, 1)
    assert set(Item.objects.values_list("external_id", flat=True)) == {"good", "other"}


def test_a_known_product_that_turns_bad_stays_as_it_was(planted_shop):
    planted_shop.facts = [facts("a", price="3.00")]
    sync()
    planted_shop.facts = [facts("a", price="NaN")]
    assert counts(sync()) == (0, 0, 0, 0, 1)
    item = Item.objects.get()
    assert (item.price, item.active) == (Decimal("3.00"), True)


def test_an_empty_shop_is_fine(planted_shop, capsys):
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
    found = conf.CATALOG().in_bulk([item.external_id, "nothing", "", "\0", str(2**63)], None)
    assert found == {item.external_id: product}


def test_a_category_tree_costs_queries_per_category_not_per_product(settings):
    settings.ECOMREC = {**settings.ECOMREC, "CATALOG": "example_shop.recommendations.ShopCatalog"}
    shelf = Shelf.objects.create(name="Milk", slug="milk", parent=Shelf.objects.create(name="Food", slug="food"))
    Product.objects.bulk_create(Product(sku=str(n), title="Milk", price=1, category=shelf) for n in range(50))
    with CaptureQueriesContext(connection) as queries:
        assert sync().created == 50
    assert len(queries) < 30


def test_pages_read_products_unordered_and_without_categories():
    sql = str(ShopCatalog().live_products().query)
    assert "JOIN" not in sql
    assert "ORDER BY" not in sql


def test_sizes_are_mirrored_in_grams_millilitres_and_pieces(planted_shop):
    planted_shop.facts = [
        facts("500克"),
        facts("b", attributes={"size": "1/2 gal"}),
        facts("c", amount=1.5, unit="kg"),
        facts("d"),
        facts("e", amount="many"),
    ]
    assert counts(sync()) == (4, 0, 0, 0, 1)
    sizes = {name: (amount, unit) for name, amount, unit in Item.objects.values_list("external_id", "amount", "unit")}
    half_gallon = sizes.pop("b")
    assert half_gallon == (pytest.approx(1892.7, abs=0.1), "ml")
    assert sizes == {"500克": (500.0, "g"), "c": (1500.0, "g"), "d": (None, "")}
    item = Item.objects.get(external_id="c")
    assert (item.size_text, item.unit_price_text) == ("1.5 kg", "0.67 per kg")
    table = items_table()
    assert table["unit"].to_pylist() == ["g", "ml", "g", ""]
    assert table["amount"].to_pylist()[::2] == [500.0, 1500.0]
    planted_shop.facts[2] = facts("c", amount=2, unit="kg")
    assert counts(sync()) == (0, 1, 0, 3, 1)
    assert Item.objects.get(external_id="c").amount == 2000.0
