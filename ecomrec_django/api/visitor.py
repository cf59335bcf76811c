"""Visitor tokens for front ends that cannot use the cookie: apps, and pages of another site."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from ..models import Visitor
from ..tracking.consent import consents
from ..tracking.visitors import COOKIE_SECONDS, header_token, new_token, sign_token, token_key
from .base import PageView
from .serializers import VisitorTokenSerializer
from .throttling import AddressThrottle


class VisitorView(PageView):
    """Issues visitor tokens, which the front end stores and sends in the header ``X-Ecomrec-Visitor``."""

    throttle_classes = [AddressThrottle]
    serializer_class = VisitorTokenSerializer

    def perform_authentication(self, request: Request) -> None:
        """Tokens are for guests, so no account is looked up."""

    def post(self, request: Request) -> Response:
        """Issue a new token, or renew the one in the header for another year.

        A token that was merged into an account is replaced, because its next user may be another person. The cookie's
        token is never returned, because scripts must not read it.
        """
        if not consents(request._request):
            raise PermissionDenied(_("This shopper has not consented to tracking."))
        token = header_token(request._request)
        if not token or Visitor.objects.filter(key=token_key(token), merged_into__isnull=False).exists():
            token = new_token()
        expires = timezone.now() + timedelta(seconds=COOKIE_SECONDS)
        return Response(VisitorTokenSerializer({"visitor": sign_token(token), "expires": expires}).data)
