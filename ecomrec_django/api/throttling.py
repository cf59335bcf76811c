"""Rate limits of the endpoints."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

from django.core.cache import caches
from django.utils.crypto import salted_hmac
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from ..conf import conf

_SALT = "ecomrec_django.throttle"
# One customer of a provider has at least this network of IPv6 addresses.
IPV6_PREFIX = 64


class AddressThrottle(SimpleRateThrottle):
    """``ECOMREC["THROTTLE"]`` requests per IP address. The cache stores a keyed hash, never the address itself.

    The address is that of the connection, unless ``REST_FRAMEWORK["NUM_PROXIES"]`` says how many proxies there are:
    anybody can send ``X-Forwarded-For``.
    """

    scope = "ecomrec_address"
    setting = "THROTTLE"

    def __init__(self) -> None:
        super().__init__()
        self.cache = caches[conf.CACHE]

    def get_rate(self) -> str | None:
        """The rate of the settings."""
        return getattr(conf, self.setting)

    def get_cache_key(self, request: Request, view: APIView) -> str:
        """A keyed hash of the client."""
        ident = salted_hmac(_SALT, self.who(request), algorithm="sha256").hexdigest()
        return self.cache_format % {"scope": self.scope, "ident": ident}

    def get_ident(self, request: Request) -> str:
        """The IPv4 address or the IPv6 network of the client."""
        if api_settings.NUM_PROXIES is None:
            return _network(request.META.get("REMOTE_ADDR") or "")
        return _network(super().get_ident(request) or "")

    def who(self, request: Request) -> str:
        """The address."""
        return f"address:{self.get_ident(request)}"


class OffersThrottle(AddressThrottle):
    """``ECOMREC["THROTTLE"]`` requests per account or, for guests, per IP address."""

    scope = "ecomrec"

    def who(self, request: Request) -> str:
        """The account, or else the address."""
        user = getattr(request, "user", None)
        return f"user:{user.pk}" if user is not None and user.is_authenticated else super().who(request)


class BeaconThrottle(AddressThrottle):
    """``ECOMREC["BEACON_THROTTLE"]`` requests per IP address. It does not look up the account, which costs queries."""

    scope = "ecomrec_beacon"
    setting = "BEACON_THROTTLE"


def _network(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        # A socket of this machine has no address.
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed, IPV6_PREFIX), strict=False))
