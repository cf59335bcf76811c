import re

import pytest
from django.test import Client
from django.urls import reverse

from ecomrec_django.catalog.sync import sync
from ecomrec_django.models import Event
from ecomrec_django.tracking.consent import CONSENT_COOKIE

pytestmark = pytest.mark.django_db
ASKED = "May we learn from your visit?"


@pytest.fixture
def shopper():
    """Somebody who agreed, in an ordinary browser."""
    client = Client(HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    client.cookies[CONSENT_COOKIE] = "yes"
    return client


def acts():
    return list(Event.objects.order_by("pk").values_list("kind", "item__external_id", "quantity"))


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_the_consent_banner_stays_until_it_is_answered(client, milk, answer):
    assert ASKED in client.get(milk.get_absolute_url()).content.decode()
    response = client.post(reverse("consent"), {"agree": answer, "next": milk.get_absolute_url()})
    assert response.url == milk.get_absolute_url()
    assert client.cookies[CONSENT_COOKIE].value == answer
    assert ASKED not in client.get(milk.get_absolute_url()).content.decode()


def test_an_answer_leads_to_no_other_site(client):
    response = client.post(reverse("consent"), {"agree": "no", "next": "https://elsewhere.example/"})
    assert response.url == reverse("privacy")


@pytest.mark.parametrize("signal", [{"HTTP_SEC_GPC": "1"}, {"HTTP_DNT": "1"}], ids=str)
def test_a_visitor_whose_browser_has_answered_is_not_asked(client, signal):
    assert ASKED not in client.get("/", **signal).content.decode()
    assert "asks us not to track you" in client.get(reverse("privacy"), **signal).content.decode()


def test_consent_can_be_changed(client):
    page = reverse("privacy")
    assert "I agree" in client.get(page).content.decode()
    client.post(reverse("consent"), {"agree": "yes"})
    assert "Withdraw consent" in client.get(page).content.decode()


def test_cart_changes_are_tracked(shopper, milk):
    sync()
    shopper.post(reverse("cart-add"), {"sku": milk.sku, "quantity": 2})
    shopper.post(reverse("cart-update"), {"sku": milk.sku, "quantity": 5})
    shopper.post(reverse("cart-update"), {"sku": milk.sku, "quantity": 5})
    shopper.post(reverse("cart-update"), {"sku": milk.sku, "quantity": 1})
    shopper.post(reverse("cart-update"), {"sku": milk.sku, "quantity": 0})
    assert acts() == [
        ("add_to_cart", milk.sku, 2),
        ("add_to_cart", milk.sku, 3),
        ("remove_from_cart", milk.sku, 4),
        ("remove_from_cart", milk.sku, 1),
    ]


def test_products_outside_the_cart_cannot_be_changed(shopper, milk):
    shopper.post(reverse("cart-update"), {"sku": "no such", "quantity": 3})
    assert "Your cart is empty" in shopper.get(reverse("cart")).content.decode()
    assert acts() == []


@pytest.mark.parametrize("name", ["home", "search", "cart", "login", "signup", "privacy"])
def test_pages_have_no_inline_scripts_or_styles(client, milk, name):
    page = client.get(reverse(name)).content.decode() + client.get(milk.get_absolute_url()).content.decode()
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
