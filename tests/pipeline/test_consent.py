"""From a withdrawal to what a training learns from."""

import pytest

from ecomrec_django.models import Visitor
from ecomrec_django.pipeline.dataset import visitors_table
from ecomrec_django.tracking.consent import exclude
from ecomrec_django.tracking.visitors import FOREVER, VisitorIds, merge, token_key, user_key

pytestmark = pytest.mark.django_db


def test_only_excluded_and_merged_visitors_are_listed():
    VisitorIds().resolve([token_key("quiet"), token_key("guest"), token_key("gone")])
    exclude(token_key("gone"))
    assert merge("guest", 7)
    pks = dict(Visitor.objects.values_list("key", "pk"))
    told = {row["visitor"]: (row["person"], row["excluded_until"]) for row in visitors_table().to_pylist()}
    assert told == {
        pks[token_key("guest")]: (pks[user_key(7)], None),
        pks[token_key("gone")]: (pks[token_key("gone")], FOREVER),
    }


def test_a_withdrawal_covers_merged_cookies():
    VisitorIds().resolve([token_key("guest")])
    assert merge("guest", 7)
    exclude(user_key(7))
    assert {row["excluded_until"] for row in visitors_table().to_pylist()} == {FOREVER}
    assert visitors_table().num_rows == 2


def test_a_merged_cookie_withdraws_only_for_its_next_user():
    VisitorIds().resolve([token_key("guest")])
    assert merge("guest", 7)
    exclude(token_key("guest"))
    told = {row["person"]: row["excluded_until"] for row in visitors_table().to_pylist()}
    account = Visitor.objects.get(key=user_key(7))
    assert told.pop(account.pk) is None
    assert list(told.values()) == [FOREVER]
    assert VisitorIds().known([token_key("guest")])[token_key("guest")].is_withdrawn
