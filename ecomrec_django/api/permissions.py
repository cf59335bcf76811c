"""Who may call an endpoint that knows callers by their cookie alone."""

from __future__ import annotations

from urllib.parse import urlsplit

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


class SameOrigin(BasePermission):
    """Refuses what a page of another site sends with its visitor's cookies."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            return False
        origin = request.headers.get("Origin")
        return origin is None or _host(origin) == request.get_host()


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
