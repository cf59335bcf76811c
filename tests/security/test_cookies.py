"""A visitor cookie that this shop did not give to this browser reads, erases, stores and merges nothing."""

import json

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ecomrec_django.models import Erasure, Event, Item, Visitor
from ecomrec_django.serving.tokens import seal_item
from ecomrec_django.tracking.consent import CONSENT_COOKIE, REFUSED
from ecomrec_django.tracking.visitors import (
    COOKIE,
    SECURE_COOKIE,
    new_token,
    open_cookie,
    sign_cookie,
    token_key,
    user_key,
)
from example_shop.models import Product

pytestmark = [pytest.mark.django_db, pytest.mark.once]
ME, BEACON, CONSENT = reverse("ecomrec:me"), reverse("ecomrec:beacon"), reverse("ecomrec:consent")
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
ATTACKER = "e" * 32


@pytest.fixture(autouse=True)
def _products():
    for sku in "ab":
        Product.objects.create(sku=sku, title=sku, price=1)
        Item.objects.create(external_id=sku, title=sku)


def browser(cookie="", name=COOKIE, consent="yes"):
    client = Client(HTTP_USER_AGENT=BROWSER)
    client.cookies[CONSENT_COOKIE] = consent
    if cookie:
        client.cookies[name] = cookie
    return client


def report(client, item="a", **options):
    reports = [{"view": seal_item(item), "id": f"{ord(item):032x}"}]
    return client.post(BEACON, {"reports": reports}, content_type="application/json", **options)


def seen_by(token):
    return list(Event.objects.filter(visitor__key=token_key(token)).values_list("item__external_id", flat=True))


def plant(token, item="a"):
    visitor = Visitor.objects.create(key=token_key(token))
    Event.objects.create(
        kind="view_item", visitor=visitor, item=Item.objects.get(external_id=item), time=timezone.now()
    )


def exported(client, **options):
    return json.loads(client.get(ME, **options).getvalue())["events"]


def test_an_unsigned_cookie_neither_reads_nor_erases():
    plant(ATTACKER)
    client = browser(ATTACKER)
    assert exported(client) == []
    client.delete(ME)
    assert seen_by(ATTACKER) == ["a"]


def test_views_are_not_recorded_under_an_unsigned_cookie():
    answer = browser(ATTACKER).get("/product/a/")
    assert seen_by(ATTACKER) == []
    assert seen_by(open_cookie(answer.cookies[COOKIE].value)) == ["a"]


def test_a_cookie_of_a_sibling_domain_is_ignored_under_https():
    """Browsers refuse the prefix ``__Host-`` to all but the host itself, so attackers can only set the other name."""
    plant(ATTACKER)
    victim = browser(sign_cookie(ATTACKER))
    report(victim, "b", secure=True)
    assert seen_by(ATTACKER) == ["a"]
    assert exported(victim, secure=True)[0]["item"] == "b"
    own = victim.cookies[SECURE_COOKIE]
    assert (own["secure"], own["path"], own["domain"]) == (True, "/", "")


def test_a_login_merges_only_what_this_browsers_own_cookie_did():
    plant(ATTACKER)
    user = get_user_model().objects.create_user("victim", password="p")
    victim = browser(sign_cookie(ATTACKER))
    report(victim, "b", secure=True)
    assert victim.post(reverse("login"), {"username": "victim", "password": "p"}, secure=True).status_code == 302
    assert seen_by(ATTACKER) == ["a"]
    account = Event.objects.filter(visitor__key=user_key(user.pk))
    assert list(account.values_list("item__external_id", flat=True)) == ["b"]


def test_visits_without_consent_store_nothing():
    for _ in range(5):
        for cookie in (new_token(), sign_cookie(new_token())):
            browser(cookie, consent=REFUSED).get("/product/a/")
    assert not Visitor.objects.exists()


def test_a_visit_without_consent_excludes_what_is_stored():
    plant(ATTACKER)
    browser(sign_cookie(ATTACKER), consent=REFUSED).get("/product/a/")
    assert Visitor.objects.get().excluded_until


def test_withdrawals_and_erasures_under_invented_cookies_store_nothing():
    for _ in range(3):
        client = browser(new_token())
        assert client.post(CONSENT, {"agree": False}, content_type="application/json").status_code == 204
        assert browser(new_token()).delete(ME).json()["receipt"] is None
    assert not Visitor.objects.exists()
    assert not Erasure.objects.exists()


def test_repeated_erasures_are_one_receipt():
    plant(ATTACKER)
    receipts = {browser(sign_cookie(ATTACKER)).delete(ME).json()["receipt"] for _ in range(3)}
    assert receipts == {str(Erasure.objects.get().receipt)}
    user = get_user_model().objects.create_user("anna")
    client = Client()
    client.force_login(user)
    assert len({client.delete(ME).json()["receipt"] for _ in range(3)}) == 1
    assert Erasure.objects.count() == 2
