"""Offers as JSON, for shops whose pages are drawn in the browser. Read-only."""

from __future__ import annotations

from django.http import Http404
from django.utils.cache import patch_cache_control, patch_vary_headers
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ..conf import conf
from ..serving.offers import OfferBlock, offers
from ..serving.slots import slot_offers
from .serializers import BlockSerializer, ForYouSerializer, QuerySerializer, SlotSerializer
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
        return self.shown(offers(request._request, self.strategy, anchors, limit, category))

    def shown(self, block: OfferBlock) -> Response:
        response = Response(BlockSerializer(block).data)
        patch_cache_control(response, private=True, no_cache=True)
        patch_vary_headers(response, ["Cookie"])
        return response


class SlotView(OffersView):
    """What fills a slot of a page: the first strategy of its chain that has enough, or the visitor's arm of an
    experiment."""

    def get(self, request: Request, slot: str) -> Response:  # type: ignore[override]
        if slot not in conf.SLOTS:
            raise Http404(slot)
        asked = SlotSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        query = asked.validated_data
        anchors = None if query["cart"] else query["item"]
        return self.shown(slot_offers(request._request, slot, anchors, query["category"], query.get("limit")))


class ForYouView(OffersView):
    """What the customer who asks may want, of a category or of the whole shop; bestsellers for who is not known."""

    strategy = "for_you"

    def get(self, request: Request) -> Response:
        asked = ForYouSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        query = asked.validated_data
        return self.answer(request, [], query["limit"], query["category"])
