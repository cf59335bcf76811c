from datetime import timedelta

import pytest
import time_machine
from django.core.signing import BadSignature, SignatureExpired
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.serving.offers import offers
from ecomrec_django.serving.tokens import open_block, open_item, seal_block, seal_item
from ecomrec_django.testing import publish_offers

IDS = st.text(min_size=1, max_size=128)


@given(st.integers(1, 2**62) | st.none(), st.just("") | IDS, st.lists(IDS, max_size=20))
def test_a_sealed_block_can_be_opened(release, anchor, items):
    first, second = (open_block(seal_block("bought_with", release, anchor, items)) for _ in range(2))
    assert first[1:] == second[1:] == ("bought_with", release, "", anchor, items, "", "")
    assert first.nonce != second.nonce


@given(IDS)
def test_the_token_of_an_item_is_the_same_every_time(item):
    assert seal_item(item) == seal_item(item)
    assert open_item(seal_item(item)) == item


def test_a_block_may_be_reported_for_seven_days_and_an_item_for_ever():
    block, item = seal_block("bought_with", 1, "a", ["b"]), seal_item("a")
    with time_machine.travel(timedelta(days=6.9)):
        assert open_block(block).items == ["b"]
    with time_machine.travel(timedelta(days=7.1)), pytest.raises(SignatureExpired):
        open_block(block)
    with time_machine.travel(timedelta(days=700)):
        assert open_item(item) == "a"


def test_a_token_that_was_changed_or_is_of_another_sort_is_not_ours():
    block, item = seal_block("bought_with", 1, "a", ["b"]), seal_item("a")
    for token in (item, "X" + block[1:], block[:-1], block.replace(":", "", 1), "", ":", "::"):
        with pytest.raises(BadSignature):
            open_block(token)
    for token in (block, "X" + item[1:], ""):
        with pytest.raises(BadSignature):
            open_item(token)


def test_a_token_made_under_the_secret_before_this_one_is_still_good(settings):
    token = seal_block("bought_with", 1, "a", ["b"])
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the next secret", [settings.SECRET_KEY]
    assert open_block(token).items == ["b"]


@pytest.mark.parametrize(
    ("anchors", "anchor"), [(["1"], "1"), (["1", "1"], "1"), (["1", "5"], ""), (None, "")], ids=str
)
def test_only_blocks_with_one_anchor_name_it(integer_key_shop, rf, anchors, anchor):
    release = publish_offers({"bought_with": {"1": ["2", "3"]}})
    request = rf.get("/")
    request.cart_ids = ["1"]
    block = offers(request, "bought_with", anchors)
    assert open_block(block.token)[1:] == ("bought_with", release.pk, "", anchor, ["2", "3"], "", "")
    assert block.token == block.token


def test_an_empty_block_has_no_token(integer_key_shop, rf):
    assert offers(rf.get("/"), "bought_with", ["9"]).token == ""


def test_a_token_costs_no_query(integer_key_shop, rf, django_assert_num_queries):
    publish_offers({"bought_with": {"1": ["2", "3"]}})
    block = offers(rf.get("/"), "bought_with", ["1"])
    with django_assert_num_queries(0):
        assert block.token
