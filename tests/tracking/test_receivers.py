import pytest

from ecomrec_django.testing import override_ecomrec
from ecomrec_django.tracking.receivers import connect
from example_shop.recommendations import ShopCatalog


class MisspeltCatalog(ShopCatalog):
    order_model = "shop.Ordr"
    review_model = "review"


@pytest.mark.parametrize("catalog", [None, "nowhere.Catalog", "pathlib.Path", MisspeltCatalog])
def test_an_adapter_that_cannot_be_used_does_not_keep_the_shop_from_starting(catalog):
    with override_ecomrec(CATALOG=catalog):
        connect()
