"""Permissions of the endpoints."""

from __future__ import annotations

from django.conf import settings
from django.utils.http import is_same_domain
from django.utils.translation import gettext_lazy
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from ..conf import conf


class TrustedOrigin(BasePermission):
    """Allows the shop's own pages and the origins in the settings, according to the browser's headers.

    Pages cannot forge these headers. Endpoints without a CSRF token rely on them, together with a JSON body.
    """

    message = gettext_lazy("Only pages of this shop and its front ends may send this request.")

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether no header names an untrusted origin."""
        origin = request.headers.get("Origin")
        if origin is None:
            return request.headers.get("Sec-Fetch-Site") != "cross-site"
        return _is_own(origin, request) or is_trusted(origin)


def _is_own(origin: str, request: Request) -> bool:
    """Whether it is the shop's own host; behind a proxy, the request may not know that it came by HTTPS."""
    scheme, _, host = origin.partition("://")
    return host == request.get_host() and (scheme == "https" or not request.is_secure())


def is_trusted(origin: str) -> bool:
    """Whether ``ECOMREC["FRONTENDS"]`` or Django's CSRF_TRUSTED_ORIGINS contain this origin.

    As in Django, ``https://*.shop.example`` stands for all subdomains.
    """
    trusted_origins = (*conf.FRONTENDS, *settings.CSRF_TRUSTED_ORIGINS)
    if origin in trusted_origins:
        return True
    scheme, _, host = origin.partition("://")
    starred = (trusted.partition("://*") for trusted in trusted_origins)
    return any(scheme == known and is_same_domain(host, domain) for known, _, domain in starred)


class StaffWith(BasePermission):
    """Staff with a permission of the admin."""

    right = ""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether the user is active staff with the permission `right`."""
        user = request.user
        return bool(user and user.is_active and user.is_staff and user.has_perm(self.right))


class MayViewFigures(StaffWith):
    """Permission to view the earnings of offers."""

    right = "ecomrec.view_dailyfigure"


class MayViewLists(StaffWith):
    """Permission to view offer lists."""

    right = "ecomrec.view_offerlist"
