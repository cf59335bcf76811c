from pathlib import Path

import pytest

from ecomrec_django.conf import DEFAULTS, conf
from ecomrec_django.errors import ConfigurationError
from tests.support.planted_shop import PlantedCatalog


def test_a_setting_that_is_not_given_has_its_default(settings):
    settings.ECOMREC = {}
    assert DEFAULTS["LIMIT"] == conf.LIMIT


def test_a_changed_setting_counts_at_once(settings):
    settings.ECOMREC = {"LIMIT": 7}
    assert conf.LIMIT == 7
    settings.ECOMREC = {"LIMIT": 8}
    assert conf.LIMIT == 8


def test_an_unknown_setting_is_no_attribute():
    with pytest.raises(AttributeError, match="no setting 'LIMITS'"):
        conf.LIMITS  # noqa: B018


def test_a_dotted_path_becomes_what_it_names(settings):
    settings.ECOMREC = {"CATALOG": "tests.support.planted_shop.PlantedCatalog"}
    assert conf.CATALOG is PlantedCatalog


@pytest.mark.parametrize("catalog", [None, "nowhere.Catalog", "tests.support.planted_shop.Nothing", "plain"])
def test_a_catalog_that_cannot_be_had_is_said_with_its_setting(settings, catalog):
    settings.ECOMREC = {"CATALOG": catalog}
    with pytest.raises(ConfigurationError, match=r'ECOMREC\["CATALOG"\]'):
        conf.CATALOG  # noqa: B018


def test_a_relative_artifacts_folder_starts_at_the_project(settings):
    settings.BASE_DIR = Path("/srv/shop")
    settings.ECOMREC = {"ARTIFACTS": "kept"}
    assert Path("/srv/shop/kept") == conf.ARTIFACTS
