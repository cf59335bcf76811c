"""Rate limits of the endpoints."""

from __future__ import annotations

from django.utils.crypto import salted_hmac
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from ..conf import conf

_SALT = "ecomrec_django.throttle"


class AddressThrottle(SimpleRateThrottle):
    """``ECOMREC["THROTTLE"]`` requests per IP address. The cache stores a keyed hash, never the address itself."""

    scope = "ecomrec_address"
    setting = "THROTTLE"

    def get_rate(self) -> str | None:
        """The rate of the settings."""
        return getattr(conf, self.setting)

    def get_cache_key(self, request: Request, view: APIView) -> str:
        """A keyed hash of the client."""
        ident = salted_hmac(_SALT, self.who(request), algorithm="sha256").hexdigest()
        return self.cache_format % {"scope": self.scope, "ident": ident}

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
