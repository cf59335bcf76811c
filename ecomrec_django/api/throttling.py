"""How often one visitor may ask."""

from __future__ import annotations

from django.utils.crypto import salted_hmac
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from ..conf import conf

_SALT = "ecomrec_django.throttle"


class AddressThrottle(SimpleRateThrottle):
    """``ECOMREC["THROTTLE"]`` requests per address. The cache holds a keyed hash of it, never the address itself."""

    scope = "ecomrec_address"
    setting = "THROTTLE"

    def get_rate(self) -> str | None:
        return getattr(conf, self.setting)

    def get_cache_key(self, request: Request, view: APIView) -> str:
        ident = salted_hmac(_SALT, self.who(request), algorithm="sha256").hexdigest()
        return self.cache_format % {"scope": self.scope, "ident": ident}

    def who(self, request: Request) -> str:
        return f"address:{self.get_ident(request)}"


class OffersThrottle(AddressThrottle):
    """``ECOMREC["THROTTLE"]`` requests per address, or per account where the customer is logged in."""

    scope = "ecomrec"

    def who(self, request: Request) -> str:
        user = getattr(request, "user", None)
        return f"user:{user.pk}" if user is not None and user.is_authenticated else super().who(request)


class BeaconThrottle(AddressThrottle):
    """``ECOMREC["BEACON_THROTTLE"]`` requests per address. Asks for no account: that would cost queries."""

    scope = "ecomrec_beacon"
    setting = "BEACON_THROTTLE"
