"""A slot is filled by the first strategy of its chain that has enough."""

import pytest
from django.test import RequestFactory

from ecomrec_django.errors import ConfigurationError, DataError
from ecomrec_django.serving.failures import failures
from ecomrec_django.serving.slots import slot_offers
from ecomrec_django.serving.tokens import open_block
from ecomrec_django.serving.variants import Variant, slot_variant
from ecomrec_django.testing import override_ecomrec, publish_offers
from tests.hosts.models import IntegerProduct


@pytest.fixture(autouse=True)
def _published(host):
    publish_offers({"bought_with": {"1": ["2", "3"], "4": ["5"]}, "for_you": {"": ["7", "8", "9"]}})


@pytest.fixture
def request_():
    return RequestFactory().get("/")


def filled(request, slot, *arguments, **options):
    block = slot_offers(request, slot, *arguments, **options)
    return block.strategy, [offer.item for offer in block.offers]


def test_the_first_strategy_that_has_enough_fills_it(request_):
    assert filled(request_, "product", ["1"]) == ("bought_with", ["2", "3"])


def test_the_next_one_does_where_the_first_has_too_little(request_):
    slots = {"product": {"chain": ["bought_with", "for_you"], "minimum": 2}}
    with override_ecomrec(SLOTS=slots):
        assert filled(request_, "product", ["4"]) == ("for_you", ["7", "8", "9"])


def test_what_was_too_little_may_still_stand_in_another_block_of_the_page(request_):
    slots = {"first": {"chain": ["bought_with"], "minimum": 2}, "second": {"chain": ["bought_with"]}}
    with override_ecomrec(SLOTS=slots):
        assert filled(request_, "first", ["4"]) == ("", [])
        assert filled(request_, "second", ["4"]) == ("bought_with", ["5"])


def test_nothing_is_shown_where_no_strategy_has_the_minimum(request_):
    with override_ecomrec(SLOTS={"product": {"chain": ["bought_with", "for_you"], "minimum": 4}}):
        block = slot_offers(request_, "product", ["1"])
    assert not block
    assert block.token == ""
    assert not failures


def test_its_own_limit_comes_before_the_tags(request_):
    with override_ecomrec(SLOTS={"home": {"chain": ["for_you"], "limit": 2}}):
        assert filled(request_, "home", [], limit=1) == ("for_you", ["7", "8"])
    assert filled(RequestFactory().get("/"), "home", [], limit=1) == ("for_you", ["7"])


def test_a_page_without_a_product_passes_over_what_needs_one(request_):
    assert filled(request_, "product", []) == ("for_you", ["7", "8", "9"])


def test_an_empty_cart_passes_on_to_the_next_strategy(request_):
    assert filled(request_, "cart") == ("for_you", ["7", "8", "9"])
    full = RequestFactory().get("/")
    full.cart_ids = ["1"]
    assert filled(full, "cart") == ("bought_with", ["2", "3"])


def test_no_offer_stands_in_two_slots_of_a_page(request_):
    assert filled(request_, "home", []) == ("for_you", ["7", "8", "9"])
    assert filled(request_, "category", []) == ("", [])


def test_the_token_names_the_slot(request_):
    assert open_block(slot_offers(request_, "product", ["1"]).token).slot == "product"


def test_an_unknown_slot_is_counted_and_shows_nothing(request_):
    assert filled(request_, "cellar", ["1"]) == ("", [])
    assert failures == {("slot cellar", "ConfigurationError"): 1}


def test_costs_two_queries_and_two_more_for_each_strategy_that_has_too_little(request_, django_assert_num_queries):
    with django_assert_num_queries(2):
        filled(request_, "product", ["1"])
    IntegerProduct.objects.filter(pk=5).update(stock=0)
    with django_assert_num_queries(4):
        filled(RequestFactory().get("/"), "product", ["4"])
    # Now the lists are cached.
    with django_assert_num_queries(2):
        filled(RequestFactory().get("/"), "product", ["4"])


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"chains": ["for_you"]}, "chains"),
        ({"chain": []}, "chain"),
        ({"chain": "for_you"}, "chain"),
        ({"chain": ["for_me"]}, "for_me"),
        ({"minimum": 0}, "minimum"),
        ({"minimum": True}, "minimum"),
        ({"limit": 21}, "limit"),
        ({"limit": 2.5}, "limit"),
        ({"discovery": 1.2}, "discovery"),
        ({"discovery": float("nan")}, "discovery"),
        ({"band": [1.5, 1.2]}, "band"),
        ({"band": [1.1]}, "band"),
        ({"band": [0, float("inf")]}, "band"),
        ({"band": "12"}, "band"),
        ({"layout": "../secrets"}, "layout"),
        ({"layout": ""}, "layout"),
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_named(options, wrong):
    with pytest.raises(DataError, match=wrong):
        Variant(("for_you",)).changed(options)


def test_settings_that_make_no_sense_are_named_with_their_slot():
    for made in ({"limit": 4}, {"chain": ["nothing"]}, ["for_you"]):
        with override_ecomrec(SLOTS={"home": made}), pytest.raises(ConfigurationError, match="home"):
            slot_variant("home")
