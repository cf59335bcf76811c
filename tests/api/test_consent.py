import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ecomrec_django.models import Visitor
from ecomrec_django.testing import override_ecomrec
from ecomrec_django.tracking.consent import CONSENT_COOKIE, opt_out
from ecomrec_django.tracking.visitors import COOKIE, FOREVER, sign_cookie, token_key, user_key

pytestmark = pytest.mark.django_db
URL = reverse("ecomrec:consent")


@pytest.fixture
def browser():
    return Client(enforce_csrf_checks=True)


def answer(client, agree, **headers):
    return client.post(URL, {"agree": agree}, content_type="application/json", **headers)


def withdrawn(key):
    return Visitor.objects.filter(key=key, excluded_until=FOREVER).exists()


def test_a_new_browser_has_neither_agreed_nor_refused(browser):
    response = browser.get(URL)
    assert response.json() == {"agreed": False, "chosen": False, "signalled": False, "policy": "1"}
    assert "no-store" in response["Cache-Control"]


def test_a_choice_is_remembered_and_can_be_changed(browser):
    with override_ecomrec(POLICY_VERSION="2026-03"):
        assert answer(browser, True).status_code == 204
        assert browser.get(URL).json() == {"agreed": True, "chosen": True, "signalled": False, "policy": "2026-03"}
    answer(browser, False)
    assert browser.get(URL).json()["agreed"] is False
    assert browser.cookies[CONSENT_COOKIE].value == "no"


def test_a_signal_of_the_browser_is_told(browser):
    assert browser.get(URL, HTTP_SEC_GPC="1").json()["signalled"] is True


def test_the_shops_own_consent_function_is_reported(browser):
    with override_ecomrec(CONSENT=opt_out):
        assert browser.get(URL).json()["agreed"] is True


def test_a_withdrawing_guest_loses_the_cookie_and_is_excluded(browser):
    token = "a" * 32
    browser.cookies[COOKIE] = sign_cookie(token)
    assert answer(browser, False).cookies[COOKIE].value == ""
    assert withdrawn(token_key(token))


def test_a_withdrawal_covers_all_devices_of_an_account(browser):
    user = get_user_model().objects.create_user("ada")
    browser.force_login(user)
    answer(browser, False)
    assert withdrawn(user_key(user.pk))
    answer(browser, True)
    assert Visitor.objects.get(key=user_key(user.pk)).excluded_until <= timezone.now()


@pytest.mark.parametrize("body", [{}, {"agree": None}, {"agree": "perhaps"}, {"agree": True, "for": "all"}, [True]])
def test_an_unclear_answer_changes_nothing(browser, body):
    response = browser.post(URL, body, content_type="application/json")
    assert response.status_code == 400
    assert not response.cookies


def test_other_sites_can_neither_read_nor_set_consent(browser):
    assert answer(browser, True, HTTP_ORIGIN="https://elsewhere.example").status_code == 403
    assert browser.get(URL, HTTP_SEC_FETCH_SITE="cross-site").status_code == 403


def test_too_many_answers_are_refused(browser):
    with override_ecomrec(THROTTLE="1/min"):
        assert [answer(browser, True).status_code for _ in range(2)] == [204, 429]
