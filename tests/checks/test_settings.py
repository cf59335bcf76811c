import sys

import pytest

from ecomrec_django.checks.settings import check_settings
from ecomrec_django.conf import DEFAULTS
from ecomrec_django.strategies.base import Strategy
from tests.support.planted_shop import NextItem


def ids() -> list[str]:
    return [message.id for message in check_settings(None) if str(message.id).startswith("ecomrec.")]


def test_sound_settings_pass(settings):
    settings.ECOMREC = {"CATALOG": "tests.support.planted_shop.PlantedCatalog"}
    assert ids() == []


def test_an_unknown_setting_is_an_error(settings):
    settings.ECOMREC = {"CATALOG": "tests.support.planted_shop.PlantedCatalog", "CATALOGUE": 1}
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
        {"STRATEGIES": ["ecomrec_django.strategies.similar.Similar"]},
    ],
)
def test_a_dotted_path_that_leads_nowhere_is_an_error(settings, wrong):
    settings.ECOMREC = {"CATALOG": "tests.support.planted_shop.PlantedCatalog", **wrong}
    assert ids() == ["ecomrec.E003"]


class WithoutLists(Strategy):
    pass


class OfUnknownRanker(NextItem):
    ranker = "next"


@pytest.mark.parametrize(
    ("name", "strategy", "problem"),
    [
        ("pathlib", "pathlib.Path", "it is not a subclass of"),
        ("function", "tests.checks.test_settings.ids", "it is not a subclass of"),
        ("without_lists", "tests.checks.test_settings.WithoutLists", "WithoutLists must implement make()"),
        ("unknown_ranker", "tests.checks.test_settings.OfUnknownRanker", 'one of "bought_with", "for_you"'),
        ("next item", "tests.support.planted_shop.NextItem", "must have 1 to 32 letters"),
        ("n" * 33, "tests.support.planted_shop.NextItem", "must have 1 to 32 letters"),
    ],
)
def test_a_strategy_that_cannot_work_is_an_error(settings, name, strategy, problem):
    settings.ECOMREC = {"CATALOG": "tests.support.planted_shop.PlantedCatalog", "STRATEGIES": {name: strategy}}
    (message,) = check_settings(None)
    assert message.id == "ecomrec.E012"
    assert f'ECOMREC["STRATEGIES"]["{name}"]' in message.msg
    assert problem in message.msg


SINK = {"CATALOG": "tests.support.planted_shop.PlantedCatalog", "SINK": "ecomrec_django.tracking.redis_sink.RedisSink"}


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
    settings.ECOMREC = {"CATALOG": "tests.support.planted_shop.PlantedCatalog", **wrong}
    (message,) = check_settings(None)
    assert message.id == "ecomrec.E005"
    assert f'ECOMREC["{next(iter(wrong))}"]' in message.msg


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        ({"bought_with": "revenues"}, 'Did you mean "revenue"?'),
        ({"bought_wiht": "revenue"}, 'Did you mean "bought_with"?'),
        ({"for_you": "uplift"}, 'Use one of "probability", "revenue", "margin".'),
        ("revenue", "Use a dict"),
        ({"bought_with": None}, "Use one of"),
    ],
    ids=str,
)
def test_an_objective_that_makes_no_sense_is_an_error(settings, objective, said):
    settings.ECOMREC = {"CATALOG": "tests.support.planted_shop.PlantedCatalog", "OBJECTIVE": objective}
    (message,) = check_settings(None)
    assert message.id == "ecomrec.E015"
    assert said in message.hint


def test_a_strategy_of_a_single_order_has_no_objective(settings):
    settings.ECOMREC = {
        "CATALOG": "tests.support.planted_shop.PlantedCatalog",
        "STRATEGIES": {"similar": "ecomrec_django.strategies.similar.Similar"},
        "OBJECTIVE": {"similar": "margin"},
    }
    (message,) = check_settings(None)
    assert (message.id, message.hint) == ("ecomrec.E015", "Leave it out.")


def test_objectives_that_strategies_know_pass(settings):
    settings.ECOMREC = {
        "CATALOG": "tests.support.planted_shop.PlantedCatalog",
        "OBJECTIVE": {"bought_with": "revenue", "upgrade_to": "probability", "for_you": "margin"},
    }
    assert ids() == []


def test_an_amount_of_memory_that_is_none_is_an_error(settings):
    settings.ECOMREC = {"CATALOG": "tests.support.planted_shop.PlantedCatalog", "DEEP_MEMORY": "much"}
    (message,) = check_settings(None)
    assert message.id == "ecomrec.E006"
    assert "such as 4GB" in message.msg


def test_some_weights_of_interests_may_be_given(settings):
    settings.ECOMREC = {
        "CATALOG": "tests.support.planted_shop.PlantedCatalog",
        "DISCOVERY": 1,
        "MAX_SHARE": 0.1,
        "INTEREST_WEIGHTS": {"view": 2, "half_life": 7},
    }
    assert ids() == []


PLANTED = {"CATALOG": "tests.support.planted_shop.PlantedCatalog"}


@pytest.mark.parametrize(
    "origins",
    [["https://shop.example", "http://localhost:5173", "https://*.shop.example", "capacitor://localhost"], ()],
)
def test_origins_of_front_ends_pass(settings, origins):
    settings.ECOMREC = {**PLANTED, "FRONTENDS": origins}
    assert ids() == []


@pytest.mark.parametrize(
    "origins",
    [["shop.example"], "https://shop.example", ["https://shop.example/"], ["https://"], ["*"], [None]],
    ids=str,
)
def test_what_is_no_origin_is_an_error(settings, origins):
    settings.ECOMREC = {**PLANTED, "FRONTENDS": origins}
    assert ids() == ["ecomrec.E011"]


def test_headers_that_django_cors_headers_does_not_allow_are_a_warning(settings):
    settings.ECOMREC = {**PLANTED, "FRONTENDS": ["https://shop.example"]}
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "corsheaders"]
    assert ids() == ["ecomrec.W011"]
    settings.CORS_ALLOW_HEADERS = ["authorization", "X-Ecomrec-Visitor", "x-ecomrec-consent"]
    assert ids() == []


def test_an_authentication_class_that_does_not_exist_is_an_error(settings):
    settings.ECOMREC = {**PLANTED, "AUTHENTICATION": ["nowhere.Authentication"]}
    assert ids() == ["ecomrec.E003"]


def errors(settings, **values):
    settings.ECOMREC = {**PLANTED, **values}
    return check_settings(None)


@pytest.mark.parametrize(
    ("name", "hint"), [("CATALOGUE", 'Did you mean "CATALOG"?'), ("COLOUR", "Known settings: ARTIFACTS, ")]
)
def test_a_setting_of_a_similar_name_is_suggested(settings, name, hint):
    (message,) = errors(settings, **{name: 1})
    assert message.hint.startswith(hint)


@pytest.mark.parametrize("given", [[], "shop.ShopCatalog", None])
def test_settings_that_are_no_dict_are_an_error(settings, given):
    settings.ECOMREC = given
    (message,) = check_settings(None)
    assert message.id == "ecomrec.E013"
    assert message.msg.startswith("ECOMREC must be a dict, such as")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ARTIFACTS", ""),
        ("ARTIFACTS", 1),
        ("TRACK_VIEWS", ["product"]),
        ("TRACK_VIEWS", {"product": None}),
        ("POLICY_VERSION", 1),
        ("POLICY_VERSION", "v" * 17),
        ("LIMIT", "4"),
        ("LIMIT", 0),
        ("LIMIT", True),
        ("CACHE", "redis"),
        ("MAX_SHARE", 0),
        ("MAX_SHARE", 1.5),
        ("MAX_SHARE", "0.1"),
        ("MAX_SHARE", True),
        ("CACHE_SECONDS", -1),
        ("CACHE_SECONDS", None),
        ("THREADS", 0),
        ("RELEASES_KEPT", "3"),
        ("THROTTLE", "often"),
        ("BEACON_THROTTLE", 600),
    ],
)
def test_a_value_of_the_wrong_type_is_an_error(settings, name, value):
    (message,) = errors(settings, **{name: value})
    assert message.id == "ecomrec.E013"
    assert message.msg.startswith(f'ECOMREC["{name}"] must be ')


def test_every_default_is_of_the_right_type(settings):
    assert errors(settings, **{name: value for name, value in DEFAULTS.items() if name != "CATALOG"}) == []


def test_an_amount_of_memory_for_training_that_is_none_is_an_error(settings):
    (message,) = errors(settings, MEMORY="1500")
    assert (message.id, message.msg.split(":")[0]) == ("ecomrec.E006", 'ECOMREC["MEMORY"]')


@pytest.mark.parametrize(
    ("receivers", "said"),
    [
        ("staff@shop.example", "must be a list"),
        (["staff@"], "'staff@' cannot be told: Enter a valid email address."),
        (["https://"], "'https://' cannot be told: Enter a valid URL."),
        (["shop.notices.tell"], "'shop.notices.tell' cannot be told: No module named 'shop'"),
        (["example_shop.settings.DEBUG"], "it is no function."),
        ([7], "7 cannot be told: it is no text."),
    ],
)
def test_receivers_of_notices_that_cannot_be_told_are_errors(settings, receivers, said):
    (error,) = errors(settings, NOTIFY=receivers)
    assert error.id == "ecomrec.E014"
    assert said in error.msg


def test_receivers_of_notices_of_all_kinds_are_accepted(settings):
    receivers = ["staff@shop.example", "https://hooks.shop.example/1", "tests.pipeline.test_notices.receive"]
    assert errors(settings, NOTIFY=receivers) == []


def test_settings_without_a_catalog_say_how_to_name_it(settings):
    del settings.ECOMREC
    (message,) = check_settings(None)
    assert message.msg == ('Set ECOMREC["CATALOG"] to a dotted path, such as "shop.recommendations.ShopCatalog".')


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("tests.hosts.catalogs.IntegerCatlog", "cannot be imported", 'Did you mean "IntegerCatalog"?'),
        ("tests.hosts.catalog.IntegerCatalog", "No module named 'tests.hosts.catalog'", ""),
        ("tests.support.planted_shop", "is not a subclass", '"tests.support.planted_shop.PlantedCatalog"'),
        ("tests.hosts.models.IntegerProduct", "is not a subclass", "Write a class that inherits from Catalog"),
    ],
)
def test_an_adapter_that_cannot_be_used_is_named_with_what_may_be_meant(settings, path, message, hint):
    (error,) = errors(settings, CATALOG=path)
    assert error.id == "ecomrec.E002"
    assert message in error.msg
    assert hint in f"{error.msg} {error.hint}"
