"""A slot is filled by the first strategy of its chain that has enough."""

import pytest
from django.test import RequestFactory

from ecomrec_django.errors import ConfigurationError, DataError
from ecomrec_django.failures import failure_counts
from ecomrec_django.serving.slots import slot_offers
from ecomrec_django.serving.tokens import open_block
from ecomrec_django.serving.variants import Variant, slot_variant
from ecomrec_django.testing import override_ecomrec, publish_offers
from tests.hosts.models import IntegerProduct


@pytest.fixture(autouse=True)
def _published(integer_key_shop):
    publish_offers({"bought_with": {"1": ["2", "3"], "4": ["5"]}, "for_you": {"": ["7", "8", "9"]}})


@pytest.fixture
def http_request():
    return RequestFactory().get("/")


def filled(request, slot, *arguments, **options):
    block = slot_offers(request, slot, *arguments, **options)
    return block.strategy, [offer.item for offer in block.offers]


def test_the_first_strategy_that_has_enough_fills_it(http_request):
    assert filled(http_request, "product", ["1"]) == ("bought_with", ["2", "3"])


def test_the_next_one_does_where_the_first_has_too_little(http_request):
    slots = {"product": {"chain": ["bought_with", "for_you"], "minimum": 2}}
    with override_ecomrec(SLOTS=slots):
        assert filled(http_request, "product", ["4"]) == ("for_you", ["7", "8", "9"])


def test_offers_of_a_skipped_strategy_may_be_shown_elsewhere(http_request):
    slots = {"first": {"chain": ["bought_with"], "minimum": 2}, "second": {"chain": ["bought_with"]}}
    with override_ecomrec(SLOTS=slots):
        assert filled(http_request, "first", ["4"]) == ("", [])
        assert filled(http_request, "second", ["4"]) == ("bought_with", ["5"])


def test_a_slot_is_empty_without_enough_offers(http_request):
    with override_ecomrec(SLOTS={"product": {"chain": ["bought_with", "for_you"], "minimum": 4}}):
        block = slot_offers(http_request, "product", ["1"])
    assert not block
    assert block.token == ""
    assert not failure_counts


def test_its_own_limit_comes_before_the_tags(http_request):
    with override_ecomrec(SLOTS={"home": {"chain": ["for_you"], "limit": 2}}):
        assert filled(http_request, "home", [], limit=1) == ("for_you", ["7", "8"])
    assert filled(RequestFactory().get("/"), "home", [], limit=1) == ("for_you", ["7"])


def test_a_page_without_a_product_passes_over_what_needs_one(http_request):
    assert filled(http_request, "product", []) == ("for_you", ["7", "8", "9"])


def test_the_product_on_the_page_is_not_offered_by_a_strategy_without_an_anchor(http_request):
    assert filled(http_request, "product", ["8"]) == ("for_you", ["7", "9"])


def test_an_empty_cart_passes_on_to_the_next_strategy(http_request):
    assert filled(http_request, "cart") == ("for_you", ["7", "8", "9"])
    full = RequestFactory().get("/")
    full.cart_ids = ["1"]
    assert filled(full, "cart") == ("bought_with", ["2", "3"])


def test_an_offer_is_shown_in_one_slot_of_a_page(http_request):
    assert filled(http_request, "home", []) == ("for_you", ["7", "8", "9"])
    assert filled(http_request, "category", []) == ("", [])


def test_the_token_names_the_slot(http_request):
    assert open_block(slot_offers(http_request, "product", ["1"]).token).slot == "product"


def test_an_unknown_slot_is_counted_and_shows_nothing(http_request):
    assert filled(http_request, "cellar", ["1"]) == ("", [])
    assert failure_counts == {("slot cellar", "ConfigurationError"): 1}


def test_each_tried_strategy_costs_two_queries(http_request, django_assert_num_queries):
    with django_assert_num_queries(2):
        filled(http_request, "product", ["1"])
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
        ({"objective": "profit"}, "objective"),
        ({"objective": None}, "objective"),
        ({"objective": "uplift"}, "uplift"),
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
        Variant(chain=("for_you",)).changed(options)


def test_settings_that_make_no_sense_are_named_with_their_slot():
    for made in ({"limit": 4}, {"chain": ["nothing"]}, ["for_you"]):
        with override_ecomrec(SLOTS={"home": made}), pytest.raises(ConfigurationError, match="home"):
            slot_variant("home")
