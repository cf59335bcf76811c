"""How often one visitor may ask."""

from __future__ import annotations

from django.utils.crypto import salted_hmac
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from ..conf import conf


class OffersThrottle(SimpleRateThrottle):
    """``ECOMREC["THROTTLE"]`` requests per address, or per account where the customer is logged in."""

    scope = "ecomrec"

    def get_rate(self) -> str | None:
        return conf.THROTTLE

    def get_cache_key(self, request: object, view: APIView) -> str:
        user = getattr(request, "user", None)
        if user is not None and user.is_authenticated:
            ident = f"user:{user.pk}"
        else:
            ident = f"address:{self.get_ident(request)}"  # type: ignore[arg-type]
        # A cache, too, is a place where no address is kept.
        hashed = salted_hmac("ecomrec_django.throttle", ident, algorithm="sha256").hexdigest()
        return self.cache_format % {"scope": self.scope, "ident": hashed}
