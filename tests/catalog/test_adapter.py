from ecomrec_django.catalog.adapter import Catalog
from tests.hosts.models import IntegerProduct


class TranslatedCatalog(Catalog):
    """A shop whose titles are rows of a table of translations."""

    model = "hosts.IntegerProduct"
    title = "no field of the product"

    def display_title(self, product):
        return "Tent"


def test_a_title_that_a_method_reads_is_the_same_on_pages_and_in_the_mirror():
    assert TranslatedCatalog().describe(IntegerProduct(pk=1, price=1)).title == "Tent"
