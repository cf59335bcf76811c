"""Who may ask."""

from __future__ import annotations

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


class SameOrigin(BasePermission):
    """Only the shop's own pages, as far as the browser says where it comes from; it cannot be made to lie.

    Endpoints without authentication, and so without Django's CSRF token, rely on it together with a JSON body.
    """

    message = "Only pages of this shop may ask this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            return False
        origin = request.headers.get("Origin")
        return origin is None or origin.partition("://")[2] == request.get_host()


class StaffWith(BasePermission):
    """Staff with a right of the admin."""

    right = ""

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        return bool(user and user.is_active and user.is_staff and user.has_perm(self.right))


class MayViewFigures(StaffWith):
    """To see what offers earned."""

    right = "ecomrec.view_dailyfigure"


class MayViewLists(StaffWith):
    """To see offer lists."""

    right = "ecomrec.view_offerlist"
