"""What is stored of who asks: to be read, and to be forgotten.

Who that is, the session says (an account), else the cookie (a guest); nothing in the address or the body names anybody.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.cache import patch_cache_control
from rest_framework.authentication import SessionAuthentication
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ..models import Erasure, Visitor
from ..models.bulk import aware
from ..privacy.erasure import erase
from ..privacy.export import sections
from ..tracking.consent import consents
from ..tracking.visitors import FOREVER, current_key, delete_cookie
from .permissions import SameOrigin
from .throttling import OffersThrottle


class PrivateView(APIView):
    """For one person alone: no cache keeps the answer. Accounts pass Django's CSRF check, all come from this site."""

    authentication_classes = [SessionAuthentication]
    permission_classes = [SameOrigin]
    renderer_classes = [JSONRenderer]
    throttle_classes = [OffersThrottle]

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        patch_cache_control(response, private=True, no_store=True)
        return response


class MeView(PrivateView):
    """Everything that is stored of who asks; and its removal."""

    def get(self, request: Request) -> HttpResponseBase:
        key = current_key(request._request)
        return StreamingHttpResponse(_exported(request._request, key), content_type="application/json")

    def delete(self, request: Request) -> Response:
        key = current_key(request._request)
        if key:
            erasure = erase([key])
            answer = {"receipt": erasure.receipt, "removed": erasure.removed, "completed": erasure.completed}
        else:
            answer = {"receipt": None, "removed": {}, "completed": timezone.now()}
        response = Response(answer)
        delete_cookie(response)
        return response


class ReceiptView(PrivateView):
    """Whether an erasure has reached the history files; who has the receipt may ask."""

    def get(self, request: Request, receipt: UUID) -> Response:
        erasure = get_object_or_404(Erasure, receipt=receipt)
        return Response({"state": "pending" if erasure.completed is None else "completed"})


def _exported(request: HttpRequest, key: str) -> Iterator[str]:
    """The export as pieces of JSON text, a page of rows each."""
    visitor = Visitor.objects.filter(key=key).first() if key else None
    receipts = Erasure.objects.filter(key=key).order_by("pk").values("receipt", "time", "completed") if key else []
    head = {
        "first_seen": visitor and visitor.created,
        "consent": _consent(request, visitor),
        "receipts": list(receipts),
    }
    yield _json(head)[:-1]
    for name, pages in sections(visitor):
        yield f', "{name}": ['
        for number, page in enumerate(pages):
            yield (",\n" if number else "\n") + ",\n".join(map(_json, page))
        yield "]"
    yield "}"


def _consent(request: HttpRequest, visitor: Visitor | None) -> dict[str, Any]:
    """Whether this browser agrees now; whether the account or cookie withdrew; what is not learned from."""
    until = visitor.excluded_until if visitor else None
    withdrawn = until is not None and aware(until) == FOREVER
    return {"agreed": consents(request), "withdrawn": withdrawn, "not_learned_from_until": until}


def _json(value: Any) -> str:
    return json.dumps(value, default=_text, ensure_ascii=False)


def _text(value: Any) -> str:
    """Times, prices and receipts as text: no digit of a price is lost."""
    return value.isoformat() if isinstance(value, datetime) else str(value)
