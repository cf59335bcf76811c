"""Base classes of the endpoints: those for shoppers, those without a CSRF token, and those for staff."""

from __future__ import annotations

from typing import Any

from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from ..conf import conf
from .parsers import SmallJSONParser
from .permissions import TrustedOrigin
from .throttling import OffersThrottle


class StaffView(APIView):
    """JSON for staff who are logged in and have the permission of ``permission_classes``."""

    authentication_classes = [SessionAuthentication]
    renderer_classes = [JSONRenderer]
    throttle_classes = [OffersThrottle]


class ShopperView(APIView):
    """Serves shoppers JSON. The project's own authentication identifies them: see `shopper_authentication`."""

    permission_classes: list[type[BasePermission]] = [AllowAny]
    renderer_classes = [JSONRenderer]
    throttle_classes = [OffersThrottle]

    def get_authenticators(self) -> list[BaseAuthentication]:
        """An instance of each class in the current settings."""
        return [kind() for kind in shopper_authentication()]


class PageView(ShopperView):
    """Serves the shop's own pages and trusted front ends, without a CSRF token, because beacons cannot send one.

    `TrustedOrigin` and the JSON body take its place.
    """

    permission_classes = [AllowAny, TrustedOrigin]
    parser_classes: list[type[BaseParser]] = [SmallJSONParser]

    def get_authenticators(self) -> list[BaseAuthentication]:
        """Those of `ShopperView`, without their check of the CSRF token."""
        authenticators = super().get_authenticators()
        for authenticator in authenticators:
            vars(authenticator)["enforce_csrf"] = _no_csrf_check
        return authenticators


def shopper_authentication() -> list[type[BaseAuthentication]]:
    """``ECOMREC["AUTHENTICATION"]``, by default that of the project's REST framework, and the session of its pages."""
    if conf.AUTHENTICATION is not None:
        return list(conf.AUTHENTICATION)
    # The stubs take dotted paths for what the settings return as classes.
    classes: list[Any] = list(api_settings.DEFAULT_AUTHENTICATION_CLASSES)
    if not any(issubclass(kind, SessionAuthentication) for kind in classes):
        classes.append(SessionAuthentication)
    return classes


def _no_csrf_check(request: Request | Any) -> None:
    """Replaces ``enforce_csrf``."""
