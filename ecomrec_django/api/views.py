"""Offers as JSON, for shops whose pages are rendered in the browser. Read-only."""

from __future__ import annotations

from django.http import Http404
from django.utils.cache import patch_cache_control, patch_vary_headers
from rest_framework.request import Request
from rest_framework.response import Response

from ..conf import conf
from ..serving.offers import OfferBlock, offers
from ..serving.slots import slot_offers
from ..tracking.consent import CONSENT_HEADER
from ..tracking.visitors import HEADER
from .base import ShopperView
from .serializers import BlockSerializer, ForYouSerializer, LimitSerializer, QuerySerializer, SlotSerializer

# Headers that identify the shopper.
_VARY = ("Cookie", "Authorization", HEADER, CONSENT_HEADER)


class OffersView(ShopperView):
    """The offers of one strategy for some items or for the shopper's cart.

    Prices, visibility and the cart depend on the shopper, so no shared cache may store the response.
    """

    strategy = ""
    serializer_class = BlockSerializer

    def get(self, request: Request) -> Response:
        serializer = QuerySerializer(data=request.query_params)
        serializer.is_valid(raise_exception=True)
        query = serializer.validated_data
        anchors = None if query["cart"] else query["item"]
        return self.offers_response(request, anchors, query["limit"])

    def offers_response(self, request: Request, anchors: list[str] | None, limit: int, category: str = "") -> Response:
        """The block's response; ``anchors`` are external ids, None for the customer's cart."""
        # The adapter receives the shop's request, as on a page.
        return self.block_response(request, offers(request._request, self.strategy, anchors, limit, category))

    def block_response(self, request: Request, block: OfferBlock) -> Response:
        """The block as JSON, which no shared cache may keep: it depends on the customer."""
        response = Response(BlockSerializer(block, context={"request": request}).data)
        patch_cache_control(response, private=True, no_cache=True)
        patch_vary_headers(response, _VARY)
        return response


class SlotView(OffersView):
    """The block of a slot: the first strategy of its chain with enough offers, or the arm of an experiment."""

    def get(self, request: Request, slot: str) -> Response:  # type: ignore[override]
        if slot not in conf.SLOTS:
            raise Http404(slot)
        serializer = SlotSerializer(data=request.query_params)
        serializer.is_valid(raise_exception=True)
        query = serializer.validated_data
        anchors = None if query["cart"] else query["item"]
        return self.block_response(
            request, slot_offers(request._request, slot, anchors, query["category"], query.get("limit"))
        )


class BuyAgainView(OffersView):
    """What this shopper is due to buy again; nothing for an unknown shopper."""

    strategy = "buy_again"

    def get(self, request: Request) -> Response:
        serializer = LimitSerializer(data=request.query_params)
        serializer.is_valid(raise_exception=True)
        return self.offers_response(request, [], serializer.validated_data["limit"])


class ForYouView(OffersView):
    """Personal offers from a category or the whole shop; bestsellers for unknown shoppers."""

    strategy = "for_you"

    def get(self, request: Request) -> Response:
        serializer = ForYouSerializer(data=request.query_params)
        serializer.is_valid(raise_exception=True)
        query = serializer.validated_data
        return self.offers_response(request, [], query["limit"], query["category"])
