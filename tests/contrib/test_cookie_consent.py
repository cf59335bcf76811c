import pytest
from cookie_consent.util import dict_to_cookie_str

from ecomrec_django.contrib.cookie_consent import accepted, analytics

SOME_DAY = "2026-01-05T10:00:00+00:00"


@pytest.mark.parametrize(
    ("answers", "agreed"),
    [
        ({"analytics": SOME_DAY}, True),
        ({"social": "-1", "analytics": SOME_DAY}, True),
        ({"analytics": "-1"}, False),
        ({"social": SOME_DAY}, False),
        ({}, False),
    ],
    ids=str,
)
def test_recorded_is_who_accepted_the_group(rf, answers, agreed, django_assert_num_queries, db):
    request = rf.get("/")
    request.COOKIES["cookie_consent"] = dict_to_cookie_str(answers)
    with django_assert_num_queries(0):
        assert analytics(request) is agreed


def test_a_shop_names_a_group_of_its_own(rf):
    request = rf.get("/")
    request.COOKIES["cookie_consent"] = dict_to_cookie_str({"offers": SOME_DAY})
    assert accepted("offers")(request)
    assert not analytics(request)


@pytest.mark.parametrize("cookie", ["", "|||", "analytics", "analytics=", "=x", "a=b=c"])
def test_a_cookie_that_makes_no_sense_is_no_consent(rf, cookie):
    request = rf.get("/")
    request.COOKIES["cookie_consent"] = cookie
    assert not analytics(request)
