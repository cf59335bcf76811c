"""Offers as JSON, for shops whose pages are drawn in the browser. Read-only."""

from __future__ import annotations

from django.utils.cache import patch_cache_control, patch_vary_headers
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ..serving.offers import offers
from .serializers import BlockSerializer, ForYouSerializer, QuerySerializer
from .throttling import OffersThrottle


class OffersView(APIView):
    """The offers of one strategy beside some items or the customer's cart.

    Prices, visibility and the cart are those of the customer who asks, so no shared cache may keep the answer.
    """

    strategy = ""
    permission_classes = [AllowAny]
    renderer_classes = [JSONRenderer]
    throttle_classes = [OffersThrottle]
    serializer_class = BlockSerializer

    def get(self, request: Request) -> Response:
        asked = QuerySerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        query = asked.validated_data
        anchors = None if query["cart"] else query["item"]
        return self.answer(request, anchors, query["limit"])

    def answer(self, request: Request, anchors: list[str] | None, limit: int, category: str = "") -> Response:
        # The adapter sees the shop's own request, as on a page.
        block = offers(request._request, self.strategy, anchors, limit, category)
        response = Response(BlockSerializer(block).data)
        patch_cache_control(response, private=True, no_cache=True)
        patch_vary_headers(response, ["Cookie"])
        return response


class ForYouView(OffersView):
    """What the customer who asks may want, of a category or of the whole shop; bestsellers for who is not known."""

    strategy = "for_you"

    def get(self, request: Request) -> Response:
        asked = ForYouSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        query = asked.validated_data
        return self.answer(request, [], query["limit"], query["category"])
