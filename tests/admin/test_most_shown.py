"""The panel of the most shown offers, and hiding and limiting in place."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from ecomrec_django.models import Decision, Publication, Rule
from ecomrec_django.testing import override_ecomrec

pytestmark = pytest.mark.urls("tests.admin.urls")

URL = "/admin/ecomrec/offerlist/most-shown/"


@pytest.fixture
def shown(planted):
    release = planted.published
    release.most_shown = {"bought_with": [["P2", 0.98], ["P3", 0.5], ["gone", 0.4]], "upgrade_to": []}
    release.save()
    return planted


@pytest.fixture
def reviewer(client_with):
    return client_with("view_offerlist", "review_offers")


def rows(client):
    return {
        row.item.external_id: (row.text, row.hidden, row.limit_text)
        for _, _, items in client.get(URL).context["strategies"]
        for row in items
    }


def test_items_are_listed_with_their_shares(reviewer, shown):
    assert rows(reviewer) == {"P2": ("98.0%", False, ""), "P3": ("50.0%", False, "")}
    page = reviewer.get(URL).content.decode()
    assert "Product 2" in page
    assert "one of the first 4 offers" in page
    assert "MAX_SHARE" not in page
    with override_ecomrec(MAX_SHARE=0.125):
        assert "No item may exceed 12.5%" in reviewer.get(URL).content.decode()


def test_an_item_is_hidden_and_limited_in_place(reviewer, shown):
    reviewer.post(URL, {"item": "P2", "percent": "5", "limit": "1"})
    reviewer.post(URL, {"item": "P3", "percent": "5", "hide": "1"})
    assert rows(reviewer) == {"P2": ("98.0%", False, "5.0%"), "P3": ("50.0%", True, "")}
    assert {(rule.action, rule.item.external_id, rule.max_share) for rule in Rule.objects.all()} == {
        ("limit", "P2", 0.05),
        ("hide", "P3", None),
    }
    assert {decision.action for decision in Decision.objects.all()} == {"limit", "hide_item"}


@pytest.mark.parametrize("percent", ["0", "100", "-1", "nan", "much", ""])
def test_a_share_that_is_none_is_refused(reviewer, shown, percent):
    answer = reviewer.post(URL, {"item": "P2", "percent": percent, "limit": "1"}, follow=True)
    assert "Enter a percentage above 0 and below 100." in answer.content.decode()
    assert not Rule.objects.exists()


def test_an_unknown_item_is_refused(reviewer, shown):
    answer = reviewer.post(URL, {"item": "nobody's\0", "percent": "5", "limit": "1"}, follow=True)
    assert "no longer in the catalog" in answer.content.decode()


def test_who_may_not_review_sees_no_buttons(client_with, shown):
    staff = client_with("view_offerlist")
    assert "Hide everywhere" not in staff.get(URL).content.decode()
    assert staff.post(URL, {"item": "P2", "hide": "1"}).status_code == 403
    assert client_with("review_offers").post(URL, {"item": "P2", "hide": "1"}).status_code == 403
    assert client_with().get(URL).status_code == 403
    assert "/admin/login/" in Client().get(URL)["Location"]
    assert not Rule.objects.exists()


def test_a_foreign_form_changes_nothing(db, shown):
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("boss", password="x"))
    assert client.post(URL, {"item": "P2", "hide": "1"}).status_code == 403
    assert not Rule.objects.exists()


def test_before_the_first_release_the_page_says_what_to_do(reviewer, shown):
    Publication.objects.all().delete()
    assert "ecomrec_train --publish" in reviewer.get(URL).content.decode()
