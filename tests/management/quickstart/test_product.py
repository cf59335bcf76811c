"""What a product model holds is told from the names and types of its columns."""

import pytest
from django.db import models
from django.test.utils import isolate_apps

from ecomrec_django.management.quickstart.fields import Guess
from ecomrec_django.management.quickstart.product import RowGuess, guess_product

pytestmark = [pytest.mark.once, pytest.mark.filterwarnings("ignore::RuntimeWarning")]


@pytest.fixture(autouse=True)
def _isolated():
    with isolate_apps("tests"):
        yield


def model(class_name="Product", /, **fields):
    meta = type("Meta", (), {"app_label": "tests"})
    return type(class_name, (models.Model,), {"__module__": "tests.models", "Meta": meta, **fields})


def text(**options):
    return models.CharField(max_length=100, **options)


def money():
    return models.DecimalField(max_digits=10, decimal_places=2)


@pytest.mark.parametrize("name", ["title", "name", "label"])
def test_a_title_goes_by_its_usual_names(name):
    assert guess_product(model(sku=text(), **{name: text()})).title == Guess(name)


def test_the_first_text_may_be_the_title():
    guess = guess_product(model(code=text(choices=[("a", "A")]), bezeichnung=text()))
    assert guess.title == Guess("bezeichnung", "the first text of the model")


def test_a_property_can_be_the_title():
    assert guess_product(model(title=property(lambda self: "Tent"), code=text())).title == Guess("title")


def test_titles_may_be_rows_of_a_table_of_translations():
    product = model(slug=models.SlugField())
    key = models.ForeignKey(product, models.CASCADE, related_name="texts")
    model("ProductText", product=key, lang=text(), name=text(), body=models.TextField())
    guess = guess_product(product)
    assert guess.title is None
    assert guess.title_rows == RowGuess(rows="texts", value="name", key="lang", description="body")
    assert guess.prefetch_related == ("texts",)


def test_a_price_is_a_number():
    guess = guess_product(model(price=text(), unit_price=money()))
    assert guess.price == Guess("unit_price")
    assert not guess.minor_units


@pytest.mark.parametrize("name", ["price_cents", "price_in_cents", "price_pence", "minor_price"])
def test_cents_are_told_by_the_name(name):
    guess = guess_product(model(**{name: models.IntegerField()}))
    assert guess.price == Guess(name)
    assert guess.minor_units


def test_a_price_in_whole_numbers_and_one_beside_a_reduced_price_are_doubtful():
    assert "cents" in guess_product(model(price=models.IntegerField())).price.doubt
    assert "sale_price" in guess_product(model(price=money(), sale_price=money())).price.doubt


def test_without_a_price_there_is_none():
    assert guess_product(model(title=text(), weight=money())).price is None


def test_a_category_tree_with_the_usual_names_needs_no_method():
    category = model("Category", name=text(), parent=models.ForeignKey("self", models.CASCADE, null=True))
    guess = guess_product(model(category=models.ForeignKey(category, models.CASCADE)))
    assert guess.category.is_plain
    assert guess.select_related == ("category",)


@pytest.mark.parametrize(("name", "parent"), [("title", "parent"), ("name", "above")])
def test_a_category_tree_with_other_names_does(name, parent):
    rows = {name: text(), parent: models.ForeignKey("self", models.CASCADE, null=True)}
    guess = guess_product(model(department=models.ForeignKey(model("Department", **rows), models.CASCADE)))
    assert (guess.category.path, guess.category.name, guess.category.parent) == ("department", name, parent)
    assert not guess.category.is_plain


def test_of_several_categories_one_is_chosen_in_doubt():
    guess = guess_product(model(categories=models.ManyToManyField(model("Category", name=text()))))
    assert guess.category.several
    assert guess.category.doubt


def test_a_brand_that_is_a_row_is_read_along():
    maker = model("Maker", title=text())
    guess = guess_product(model(manufacturer=models.ForeignKey(maker, models.SET_NULL, null=True)))
    assert guess.brand == Guess("manufacturer.title")
    assert guess.select_related == ("manufacturer",)


def test_an_image_may_be_in_a_table_of_its_own():
    product = model(title=text())
    key = models.ForeignKey(product, models.CASCADE, related_name="pictures")
    model("ProductPicture", product=key, caption=text(), file=models.FileField())
    assert guess_product(product).image_rows == RowGuess(rows="pictures", value="file", is_file=True)


def test_what_is_not_shown_is_left_out():
    draft = models.TextChoices("Status", "DRAFT PUBLISHED")
    guess = guess_product(
        model(
            is_active=models.BooleanField(),
            deleted=models.BooleanField(),
            archived_at=models.DateTimeField(null=True),
            status=text(choices=draft.choices),
        )
    )
    assert guess.live == ("is_active=True", "deleted=False", "archived_at__isnull=True", 'status="PUBLISHED"')


def test_stock_is_a_count_or_a_yes_or_no():
    assert guess_product(model(units_in_stock=models.IntegerField())).stock == Guess("units_in_stock")
    assert guess_product(model(is_available=models.BooleanField())).stock == Guess("is_available")
    assert guess_product(model(warehouse_stock=models.IntegerField())).stock.doubt
    assert guess_product(model(sold_out=models.BooleanField())).gone == "sold_out"
