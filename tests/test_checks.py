import sys

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
    "wrong",
    [
        {"CONSENT": "nowhere.agreed"},
        {"SINK": "nowhere.Sink"},
        {"STRATEGIES": {"bought_with": "ecomrec_django.strategies.base.Nothing"}},
    ],
)
def test_a_dotted_path_that_leads_nowhere_is_an_error(settings, wrong):
    settings.ECOMREC = {"CATALOG": "tests.planted.PlantedCatalog", **wrong}
    assert ids() == ["ecomrec.E003"]


SINK = {"CATALOG": "tests.planted.PlantedCatalog", "SINK": "ecomrec_django.tracking.redis_sink.RedisSink"}


def test_redis_is_not_asked_whether_it_is_there(settings):
    settings.ECOMREC = {**SINK, "REDIS": "redis://127.0.0.1:9/0"}
    assert ids() == []


@pytest.mark.parametrize("address", [None, "", "127.0.0.1:6379"])
def test_events_through_redis_need_its_address(settings, address):
    settings.ECOMREC = {**SINK, "REDIS": address}
    (message,) = check_settings(None)
    assert message.id == "ecomrec.E004"
    assert 'ECOMREC["REDIS"]' in message.msg


def test_events_through_redis_need_the_package(settings, monkeypatch):
    settings.ECOMREC = {**SINK, "REDIS": "redis://127.0.0.1:6379/0"}
    monkeypatch.setitem(sys.modules, "redis", None)
    (message,) = check_settings(None)
    assert message.id == "ecomrec.E004"
    assert "ecomrec-django[redis]" in message.msg


@pytest.mark.parametrize(
    "wrong",
    [
        {"DISCOVERY": 1.5},
        {"DISCOVERY": "much"},
        {"DISCOVERY": True},
        {"INTEREST_WEIGHTS": {"glance": 1}},
        {"INTEREST_WEIGHTS": {"view": -1}},
        {"INTEREST_WEIGHTS": {"half_life": 0}},
    ],
)
def test_numbers_of_personal_offers_that_make_no_sense_are_an_error(settings, wrong):
    settings.ECOMREC = {"CATALOG": "tests.planted.PlantedCatalog", **wrong}
    (message,) = check_settings(None)
    assert message.id == "ecomrec.E005"
    assert f'ECOMREC["{next(iter(wrong))}"]' in message.msg


def test_an_amount_of_memory_that_is_none_is_an_error(settings):
    settings.ECOMREC = {"CATALOG": "tests.planted.PlantedCatalog", "DEEP_MEMORY": "much"}
    (message,) = check_settings(None)
    assert message.id == "ecomrec.E006"
    assert "write it like 4GB" in message.msg


def test_some_weights_of_interests_may_be_given(settings):
    settings.ECOMREC = {
        "CATALOG": "tests.planted.PlantedCatalog",
        "DISCOVERY": 1,
        "INTEREST_WEIGHTS": {"view": 2, "half_life": 7},
    }
    assert ids() == []
