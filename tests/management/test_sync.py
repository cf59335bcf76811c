import pytest
from django.core.management import CommandError, call_command

from ecomrec_django.errors import DataError
from ecomrec_django.models import Item, TrainingRun
from ecomrec_django.tasks import run_training
from example_shop.models import Product
from example_shop.recommendations import ShopCatalog
from tests.support.planted_shop import facts, line

pytestmark = pytest.mark.django_db


class MisspeltCatalog(ShopCatalog):
    title = "titel"


@pytest.fixture
def misspelt_shop(settings):
    settings.ECOMREC = {**settings.ECOMREC, "CATALOG": MisspeltCatalog}
    Product.objects.bulk_create(Product(sku=f"S{number}", title="Tent", price=1) for number in range(80))


MISTAKE = 'MisspeltCatalog.title = \'titel\': shop.Product has no "titel". Did you mean "title"?'


@pytest.mark.usefixtures("misspelt_shop")
def test_a_sync_that_can_read_no_product_fails_and_says_why():
    with pytest.raises(CommandError) as caught:
        call_command("ecomrec_sync")
    assert caught.value.returncode == 1
    assert str(caught.value).startswith(f"All products were skipped: 80, such as S0: {MISTAKE}")
    assert "manage.py ecomrec_doctor" in str(caught.value)


@pytest.mark.usefixtures("misspelt_shop")
def test_a_training_without_readable_products_fails():
    with pytest.raises(DataError, match="All products were skipped"):
        run_training()
    assert MISTAKE in TrainingRun.objects.get().message


def test_some_skipped_products_are_summarised_by_reason_and_do_not_fail(planted_shop, capsys):
    planted_shop.facts = [facts("a"), facts("b", price="-1"), facts("c", price="-2"), facts("x" * 129)]
    call_command("ecomrec_sync")
    output = capsys.readouterr().out
    assert "1 created, 0 updated, 0 removed, 0 unchanged, 3 skipped." in output
    assert "skipped 2, such as b: its price -1 is not a number from 0 to 10000000000; use None" in output
    assert f"skipped 1, such as {'x' * 129}: its id is longer than 128 characters" in output
    assert Item.objects.count() == 1


def test_a_training_summarises_what_it_skipped_and_what_is_odd(planted_shop, capsys):
    planted_shop.facts = [facts("a"), facts("b", price="-1")]
    planted_shop.lines = [line(1, "a"), line(2, "a", quantity=0), line(3, "a", user="None")]
    call_command("ecomrec_train")
    output = capsys.readouterr().err
    assert "catalog, skipped: 1, such as b: its price -1" in output
    assert "orders, skipped: 1, such as 2 of order o1: quantity 0" in output
    assert 'orders, accepted: 1, such as 3 of order o1: its user is the text "None"' in output
