"""Consent to tracking, for shops whose banner is rendered in the browser."""

from __future__ import annotations

from django.utils.cache import add_never_cache_headers
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from ..conf import conf
from ..tracking.consent import agree, chosen, signalled, withdraw
from .base import PageView
from .serializers import AnswerSerializer, ConsentSerializer
from .throttling import AddressThrottle


class ConsentView(PageView):
    """GET returns the state of consent; POST ``{"agree": true}`` or ``{"agree": false}`` changes it."""

    throttle_classes = [AddressThrottle]
    serializer_class = ConsentSerializer

    def get(self, request: Request) -> Response:
        """The state of consent in this browser; never cached."""
        shop_request = request._request
        state = {
            "agreed": conf.CONSENT(shop_request),
            "chosen": chosen(shop_request),
            "signalled": signalled(shop_request),
            "policy": conf.POLICY_VERSION,
        }
        response = Response(ConsentSerializer(state).data)
        add_never_cache_headers(response)
        return response

    def post(self, request: Request) -> Response:
        """Agree or withdraw."""
        answer = AnswerSerializer(data=request.data)
        answer.is_valid(raise_exception=True)
        response = Response(status=status.HTTP_204_NO_CONTENT)
        change = agree if answer.validated_data["agree"] else withdraw
        change(request._request, response)
        return response
