import pytest

from ecomrec_django.serving.tokens import open_block
from ecomrec_django.testing import publish_offers


@pytest.fixture(autouse=True)
def _published(integer_key_shop):
    publish_offers({"bought_with": {"1": ["2", "3"]}, "for_you": {"": ["7"], "Food": ["8"]}})


def items(answer):
    assert answer.status_code == 200, answer.content
    return answer.json()["strategy"], [offer["item"] for offer in answer.json()["offers"]]


def test_a_slot_answers_with_what_fills_it(client):
    answer = client.get("/ecomrec/api/slots/product/", {"item": "1"})
    assert items(answer) == ("bought_with", ["2", "3"])
    assert open_block(answer.json()["token"]).slot == "product"
    assert "Cookie" in answer["Vary"]
    assert "private" in answer["Cache-Control"]


def test_a_slot_of_a_category_offers_what_is_of_it(client):
    assert items(client.get("/ecomrec/api/slots/category/", {"category": "Food"})) == ("for_you", ["8"])


def test_a_slot_that_shows_nothing_says_so(client):
    assert items(client.get("/ecomrec/api/slots/upgrade/", {"item": "1"})) == ("", [])


def test_invalid_parameters_are_rejected_by_name(client):
    assert client.get("/ecomrec/api/slots/cellar/").status_code == 404
    assert "item" in client.get("/ecomrec/api/slots/cart/", {"item": "1", "cart": "1"}).json()
    assert "limit" in client.get("/ecomrec/api/slots/cart/", {"limit": "0"}).json()
    assert client.post("/ecomrec/api/slots/cart/").status_code == 405
