import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.urls import reverse

from ecomrec_django.api.throttling import AddressThrottle
from ecomrec_django.serving.tokens import open_block
from ecomrec_django.testing import override_ecomrec, publish_offers
from ecomrec_django.tracking.consent import CONSENT_COOKIE
from ecomrec_django.tracking.visitors import COOKIE, sign_cookie
from tests.support.catalogs import CartCatalog
from tests.support.shoppers import TOKEN, remember

URL = reverse("ecomrec:bought-with")
FOR_YOU = reverse("ecomrec:for-you")


@pytest.fixture(autouse=True)
def release(integer_key_shop):
    return publish_offers({"bought_with": {"1": ["2", "3"]}, "for_you": {"": ["4", "5"], "Food > Milk": ["6"]}})


def test_offers_come_with_all_a_page_needs(client, release):
    answer = client.get(URL, {"item": "1", "limit": "1"}).json()
    shown = open_block(answer.pop("token"))
    assert shown[1:] == ("bought_with", release.pk, "", "1", ["2"], "", "")
    assert answer == {
        "strategy": "bought_with",
        "title": "Bought together",
        "release": release.pk,
        "offers": [
            {
                "item": "2",
                "title": "Title 2",
                "url": "/product/2/",
                "image": "",
                "price": "2.00",
                "currency": "",
                "price_text": "2.00",
                "price_difference": "1.00",
                "price_difference_text": "+1.00",
                "brand": "",
                "rating": None,
                "rating_count": None,
                "stock": 1,
                "reason": "Often bought together",
            }
        ],
        "bundle": None,
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


def items(client, url=FOR_YOU, **query):
    return [offer["item"] for offer in client.get(url, query).json()["offers"]]


def test_for_you_offers_bestsellers_to_unknown_shoppers(client, release):
    answer = client.get(FOR_YOU, {"limit": "1"}).json()
    assert (answer["strategy"], answer["release"]) == ("for_you", release.pk)
    assert open_block(answer["token"])[1:] == ("for_you", release.pk, "", "", ["4"], "", "")
    assert [(offer["item"], offer["title"], offer["url"]) for offer in answer["offers"]] == [
        ("4", "Title 4", "/product/4/")
    ]
    assert items(client) == ["4", "5"]


def test_for_you_can_be_limited_to_a_category(client):
    assert items(client, category="Food > Milk") == items(client, category="Food>Milk") == ["6"]
    assert items(client, category="Food > Cheese") == []
    assert items(client, category="") == ["4", "5"]


def test_for_you_is_not_cached_by_shared_caches(client):
    response = client.get(FOR_YOU)
    assert "private" in response["Cache-Control"]
    assert "Cookie" in response["Vary"]


def test_for_you_looks_up_only_consenting_shoppers(client, django_assert_num_queries):
    remember("9")
    client.cookies.load({COOKIE: sign_cookie(TOKEN)})
    with django_assert_num_queries(2):
        assert items(client) == ["4", "5"]
    client.cookies.load({CONSENT_COOKIE: "yes"})
    # The lists are cached; who asks, and the products.
    with django_assert_num_queries(2):
        assert items(client) == ["4", "5"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "21"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"category": "x" * 1001}, "category"),
    ],
)
def test_a_wrong_question_for_you_is_answered_with_what_is_wrong(client, query, field):
    response = client.get(FOR_YOU, query)
    assert response.status_code == 400
    assert list(response.json()) == [field]


def test_an_empty_cart_is_answered_for_you(client):
    answer = client.get(URL, {"cart": "1"}).json()
    assert answer["strategy"] == "for_you"
    assert [offer["item"] for offer in answer["offers"]] == ["4", "5"]


def test_too_many_questions_are_refused(client):
    cache.clear()
    with override_ecomrec(THROTTLE="2/min"):
        answers = [client.get(URL, {"item": "1"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 0 < int(answers[-1]["Retry-After"]) <= 60


@pytest.mark.parametrize("url", [URL, FOR_YOU])
def test_endpoints_are_read_only(client, url):
    assert client.post(url, {"item": "1"}).status_code in {403, 405}
