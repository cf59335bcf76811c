import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.urls import reverse

from ecomrec_django.api.throttling import AddressThrottle
from ecomrec_django.serving.tokens import open_block
from ecomrec_django.testing import override_ecomrec, publish_offers
from tests.serving.catalogs import CartCatalog

URL = reverse("ecomrec:bought-with")


@pytest.fixture(autouse=True)
def release(host):
    return publish_offers({"bought_with": {"1": ["2", "3"]}})


def test_offers_come_with_all_a_page_needs(client, release):
    answer = client.get(URL, {"item": "1", "limit": "1"}).json()
    shown = open_block(answer.pop("token"))
    assert shown[1:] == ("bought_with", release.pk, "", "1", ["2"])
    assert answer == {
        "strategy": "bought_with",
        "release": release.pk,
        "offers": [
            {
                "item": "2",
                "url": "/product/2/",
                "title": "Title 2",
                "price": "2.00",
                "image": "",
                "reason": "Often bought together",
                "score": 1.0,
            }
        ],
    }


def test_the_answer_is_kept_by_no_shared_cache(client):
    response = client.get(URL, {"item": "1"})
    assert "private" in response["Cache-Control"]
    assert "Cookie" in response["Vary"]


def test_the_cart_is_the_customers(client, monkeypatch):
    monkeypatch.setattr(CartCatalog, "cart", lambda self, request: ["1", "2"])
    assert [offer["item"] for offer in client.get(URL, {"cart": "1"}).json()["offers"]] == ["3"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "item"),
        ({"item": "1", "cart": "1"}, "item"),
        ({"item": "1", "limit": "0"}, "limit"),
        ({"item": "1", "limit": "21"}, "limit"),
        ({"item": "1", "limit": "many"}, "limit"),
        ({"item": [str(n) for n in range(51)]}, "item"),
        ({"item": "x" * 129}, "item"),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_wrong(client, query, field):
    response = client.get(URL, query)
    assert response.status_code == 400
    assert list(response.json()) == [field]


def test_an_item_nobody_knows_has_no_offers_and_nothing_to_report(client):
    answer = client.get(URL, {"item": "no such"}).json()
    assert (answer["offers"], answer["token"]) == ([], "")


def test_addresses_and_accounts_are_kept_as_keyed_hashes_alone(client, monkeypatch):
    kept = []
    monkeypatch.setattr(AddressThrottle.cache, "set", lambda key, *args: kept.append(key))
    client.get(URL, {"item": "1"}, REMOTE_ADDR="203.0.113.7")
    client.force_login(get_user_model().objects.create_user("ada", pk=4711))
    client.get(URL, {"item": "1"}, REMOTE_ADDR="203.0.113.7")
    assert len(set(kept)) == 2
    assert not any("203.0.113.7" in key or "4711" in key for key in kept)


def test_the_other_strategy_has_its_own_address(client):
    assert client.get(reverse("ecomrec:upgrade-to"), {"item": "1"}).json()["strategy"] == "upgrade_to"


def test_too_many_questions_are_refused(client):
    cache.clear()
    with override_ecomrec(THROTTLE="2/min"):
        answers = [client.get(URL, {"item": "1"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 0 < int(answers[-1]["Retry-After"]) <= 60


def test_nothing_can_be_written(client):
    assert client.post(URL, {"item": "1"}).status_code in {403, 405}
