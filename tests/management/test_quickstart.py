"""ecomrec_quickstart writes an adapter, and says what else a shop needs for its first block."""

import pytest
from django.core.management import CommandError, call_command

from tests.support.camping_shop import stock_the_shop
from tests.support.host_projects import printed_steps
from tests.support.processes import ROOT

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(capsys):
    """Runs the command; returns what it wrote."""

    def run(*arguments: str) -> str:
        call_command("ecomrec_quickstart", *arguments)
        return capsys.readouterr().out

    return run


def test_without_a_model_those_that_may_hold_products_are_listed(run):
    lines = run().splitlines()
    assert lines[1] == "  shop.Product: title title, price price, category category, image image, stock stock"
    assert lines[-1] == "Then: python manage.py ecomrec_quickstart shop.Product"
    assert "OrderLine" not in "".join(lines)


def test_a_dry_run_prints_the_adapter_and_tries_it(run):
    stock_the_shop()
    said = run("shop.Product", "--dry-run")
    assert 'model = "shop.Product"' in said
    assert "Read the first 8 products (8 with price, 8 with category" in said
    assert "and 50 order lines." in said


def test_an_adapter_that_is_there_stays(run):
    path = ROOT / "example_shop/recommendations.py"
    before = path.read_bytes()
    assert f"{path} is there already" in run("shop.Product")
    assert path.read_bytes() == before


def test_what_the_project_has_already_is_not_asked_for(run):
    assert list(printed_steps(run("shop.Product"))) == ["Consent", "Train"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["shop.Prodct"], 'Did you mean "shop.Product"'),
        (["auth.User"], "of an installed package"),
        (["shop.Product", "--line", "shop.Category"], "No foreign keys lead"),
        (["shop.Product", "--order", "shop.Nothing"], "no model of an installed app"),
    ],
)
def test_a_model_that_does_not_fit_is_named(run, arguments, message):
    with pytest.raises(CommandError, match=message):
        run(*arguments)
