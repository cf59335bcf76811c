from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from ecomrec_django.learning.amounts import Amount
from example_shop.models import Order, OrderLine, Product
from example_shop.recommendations import ShopCatalog

pytestmark = pytest.mark.django_db


def load(households):
    out = StringIO()
    call_command("load_completejourney", households=households, stdout=out)
    return out.getvalue()


def test_households_come_with_what_they_bought_and_only_once(media):
    assert "2 customers" in load(2)
    orders, lines = Order.objects.count(), OrderLine.objects.count()
    assert lines > orders > 10
    assert set(Order.objects.values_list("user__username", flat=True)) == {"household-1", "household-2"}
    bought = Product.objects.filter(sold__gt=0)
    assert bought.count() == Product.objects.count()
    assert not Product.objects.filter(rating__isnull=False).exists()
    assert ShopCatalog().product_amount(Product.objects.filter(size="16 oz")[0]) == Amount(453.592368, "g", "16 oz")
    assert all((media / name).exists() for name in Product.objects.values_list("image", flat=True))
    assert "nothing to do" in load(2)
    assert (Order.objects.count(), OrderLine.objects.count()) == (orders, lines)


@pytest.mark.once
def test_more_households_later_are_added():
    load(1)
    before = Order.objects.count()
    assert "1 customers" in load(2)
    assert Order.objects.count() > before


def test_zero_households_are_rejected():
    with pytest.raises(CommandError, match="1 or more"):
        load(0)
