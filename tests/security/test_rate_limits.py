"""Rate limits count the address of the connection: clients cannot choose under which address they are counted."""

import pytest
from django.core.cache import caches
from django.test import Client
from django.urls import reverse

from ecomrec_django.checks.project import check_addresses
from ecomrec_django.testing import override_ecomrec

pytestmark = [pytest.mark.django_db, pytest.mark.once]
URL = reverse("ecomrec:consent")
LOCAL = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}


@pytest.fixture(autouse=True)
def _limit():
    with override_ecomrec(THROTTLE="1/min"):
        yield


def codes(*headers):
    return [Client(**each).get(URL).status_code for each in headers]


def test_an_invented_forwarded_address_is_not_believed():
    assert codes(*({"HTTP_X_FORWARDED_FOR": f"198.51.100.{number}"} for number in range(3))) == [200, 429, 429]


def test_shoppers_behind_known_proxies_are_told_apart(settings):
    settings.REST_FRAMEWORK = {**getattr(settings, "REST_FRAMEWORK", {}), "NUM_PROXIES": 1}
    # What a client claims stands before what the proxy saw.
    forwarded = ["198.51.100.1", "198.51.100.2", "203.0.113.9, 198.51.100.1"]
    assert codes(*({"HTTP_X_FORWARDED_FOR": each} for each in forwarded)) == [200, 200, 429]


def test_the_addresses_of_one_ipv6_network_are_one_client():
    addresses = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1", "::ffff:192.0.2.1", "192.0.2.1"]
    assert codes(*({"REMOTE_ADDR": each} for each in addresses)) == [200, 429, 200, 200, 429]


def test_limits_are_kept_in_the_cache_of_the_settings(settings):
    settings.CACHES = {"default": LOCAL, "shared": {**LOCAL, "LOCATION": "shared"}}
    with override_ecomrec(CACHE="shared"):
        assert codes({}, {}) == [200, 429]
        caches["shared"].clear()
        assert codes({}) == [200]


@pytest.mark.parametrize("proxies", [None, 0, 1])
def test_a_proxy_that_is_not_counted_is_a_warning_before_a_deployment(settings, proxies):
    settings.REST_FRAMEWORK = {**getattr(settings, "REST_FRAMEWORK", {}), "NUM_PROXIES": proxies}
    assert check_addresses(None) == []
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert [message.id for message in check_addresses(None)] == ([] if proxies is not None else ["ecomrec.W044"])
