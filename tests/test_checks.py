import pytest

from ecomrec_django.checks import check_settings


def ids() -> list[str]:
    return [message.id for message in check_settings(None) if str(message.id).startswith("ecomrec.")]


def test_sound_settings_pass(settings):
    settings.ECOMREC = {"CATALOG": "tests.planted.PlantedCatalog"}
    assert ids() == []


def test_an_unknown_setting_is_an_error(settings):
    settings.ECOMREC = {"CATALOG": "tests.planted.PlantedCatalog", "CATALOGUE": 1}
    assert ids() == ["ecomrec.E001"]


@pytest.mark.parametrize("catalog", [None, "nowhere.Catalog", "pathlib.Path"])
def test_an_unusable_catalog_is_an_error(settings, catalog):
    settings.ECOMREC = {"CATALOG": catalog}
    assert ids() == ["ecomrec.E002"]


@pytest.mark.parametrize(
    "wrong", [{"CONSENT": "nowhere.agreed"}, {"STRATEGIES": {"bought_with": "ecomrec_django.strategies.base.Nothing"}}]
)
def test_a_dotted_path_that_leads_nowhere_is_an_error(settings, wrong):
    settings.ECOMREC = {"CATALOG": "tests.planted.PlantedCatalog", **wrong}
    assert ids() == ["ecomrec.E003"]
