"""What endpoints have in common: those that the shop's own pages call, and those for staff."""

from __future__ import annotations

from rest_framework.authentication import SessionAuthentication
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from .parsers import SmallJSONParser
from .permissions import SameOrigin
from .throttling import OffersThrottle


class StaffView(APIView):
    """Answers staff who are logged in, with the right that ``permission_classes`` names, in JSON."""

    authentication_classes = [SessionAuthentication]
    renderer_classes = [JSONRenderer]
    throttle_classes = [OffersThrottle]


class PageView(APIView):
    """Answers the pages of this shop, and nobody else, in JSON. It needs no CSRF token and gives none.

    Who asks is whom the shop's own session names, so REST framework authenticates nobody here: it would put its own
    answer, "a guest", on the shop's request, and a customer's views would be recorded as a stranger's.
    """

    authentication_classes = []
    permission_classes = [SameOrigin]
    parser_classes: list[type[BaseParser]] = [SmallJSONParser]
    renderer_classes = [JSONRenderer]

    def perform_authentication(self, request: Request) -> None:
        """Nobody is looked up."""
