"""Visitors of all languages get the same offers, with titles of their own; ``LANGUAGE_CODE`` is English."""

import pytest
from django.test import RequestFactory
from django.utils import translation
from django.utils.translation import get_language

from ecomrec_django.serving.offers import offers
from ecomrec_django.testing import override_ecomrec, publish_offers
from tests.support.catalogs import CartCatalog

pytestmark = pytest.mark.usefixtures("integer_key_shop")

STRATEGIES = {
    "bought_with": "tests.support.catalogs.Any",
    "upgrade_to": "ecomrec_django.strategies.upgrade_to.UpgradeTo",
}


class TranslatedCatalog(CartCatalog):
    english: dict[int, str] = {}
    german: dict[int, str] = {}

    def display_title(self, product):
        titles = self.german if get_language() == "de" else self.english
        return titles.get(product.pk, f"Title {product.pk}")


def shown(strategy, names, english, german, language):
    publish_offers({strategy: {"8": names}})
    catalog = type("Translated", (TranslatedCatalog,), {"english": english, "german": german})
    with override_ecomrec(CATALOG=catalog, STRATEGIES=STRATEGIES), translation.override(language):
        return [offer.title for offer in offers(RequestFactory().get("/"), strategy, ["8"]).offers]


@pytest.mark.parametrize(
    ("english", "german", "count"),
    [
        ({8: "Coffee 500 g", 9: "Coffee extra 600 g"}, {8: "Kaffee", 9: "Kaffee"}, 1),
        ({8: "Coffee", 9: "Coffee"}, {8: "Kaffee 500 g", 9: "Kaffee extra 600 g"}, 0),
        ({8: "Coffee 500 g", 9: "Coffee extra 400 g"}, {8: "Kaffee", 9: "Kaffee extra"}, 0),
        ({8: "Coffee", 9: "Coffee extra"}, {8: "Kaffee 500 g", 9: "Kaffee extra 400 g"}, 1),
    ],
)
@pytest.mark.parametrize("language", ["en", "de", "zh-hans"])
def test_upgrades_are_compared_in_the_catalogs_language(english, german, count, language):
    titles = german if language == "de" else english
    assert shown("upgrade_to", ["9"], english, german, language) == [titles[9]] * count


@pytest.mark.parametrize(
    ("english", "german", "places"),
    [
        ({2: "Vase", 3: "Vase"}, {2: "Vase", 3: "Krug"}, [2, 4]),
        ({2: "Vase", 3: "Jug"}, {2: "Krug", 3: "Krug"}, [2, 3, 4]),
        ({2: "Vase", 4: "VASE"}, {3: "Krug", 4: "Krug"}, [2, 3]),
    ],
)
@pytest.mark.parametrize("language", ["en", "de", "zh-hans"])
def test_titles_are_compared_in_the_catalogs_language(english, german, places, language):
    titles = german if language == "de" else english
    found = shown("bought_with", ["2", "3", "4"], english, german, language)
    assert found == [titles.get(place, f"Title {place}") for place in places]
