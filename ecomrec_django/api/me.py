"""Personal data of the current visitor: export and erasure.

The visitor is the account that the project's authentication finds, else the guest of the signed header or the cookie;
nothing in the address or the body can name anyone else.
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
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from ..db import to_aware
from ..models import Erasure, Visitor
from ..privacy.erasure import erase
from ..privacy.export import sections
from ..tracking.consent import consents
from ..tracking.visitors import (
    FOREVER,
    HEADER,
    account_of,
    current_key,
    delete_cookie,
    header_token,
    merge,
    token_account,
)
from .base import ShopperView
from .permissions import TrustedOrigin


class PrivateView(ShopperView):
    """Responses for one person, which no cache may store. Requests of sessions need Django's CSRF token."""

    permission_classes = [AllowAny, TrustedOrigin]

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Keep the response out of all caches."""
        response = super().finalize_response(request, response, *args, **kwargs)
        patch_cache_control(response, private=True, no_store=True)
        return response


class MeView(PrivateView):
    """Exports or erases everything stored about the current visitor."""

    def get(self, request: Request) -> HttpResponseBase:
        """Export everything stored, streamed as JSON."""
        key = _key_of(request._request)
        return StreamingHttpResponse(_export_chunks(request._request, key), content_type="application/json")

    def delete(self, request: Request) -> Response:
        """Erase everything stored, and return a receipt."""
        key = _key_of(request._request)
        if key:
            erasure = erase([key])
            answer = {"receipt": erasure.receipt, "removed": erasure.removed_rows, "completed": erasure.completed}
        else:
            answer = {"receipt": None, "removed": {}, "completed": timezone.now()}
        response = Response(answer)
        if not request.headers.get(HEADER):
            delete_cookie(request._request, response)
        return response


class ReceiptView(PrivateView):
    """Whether an erasure has reached the history files, for anyone with the receipt."""

    def get(self, request: Request, receipt: UUID) -> Response:
        """ "pending" or "completed"."""
        erasure = get_object_or_404(Erasure, receipt=receipt)
        return Response({"state": "pending" if erasure.completed is None else "completed"})


def _key_of(request: HttpRequest) -> str:
    """Visitor.key of the current visitor. The first request after a login with a token merges the guest's history.

    Raises ValidationError if a guest's token is invalid, because "nothing is stored" would be a wrong answer.
    """
    account, token = token_account(request), header_token(request)
    if account is not None and token:
        merge(token, account.pk)
    if request.headers.get(HEADER) and not token and account_of(request) is None:
        raise ValidationError({"visitor": [_("This visitor token is not from this shop, or has expired.")]})
    return current_key(request)


def _export_chunks(request: HttpRequest, key: str) -> Iterator[str]:
    """The export as chunks of JSON text, one page of rows each."""
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
    """Whether this browser consents, whether the account or cookie withdrew, and until when events are excluded."""
    until = visitor.excluded_until if visitor else None
    withdrawn = until is not None and to_aware(until) == FOREVER
    return {"agreed": consents(request), "withdrawn": withdrawn, "not_learned_from_until": until}


def _json(value: Any) -> str:
    return json.dumps(value, default=_text, ensure_ascii=False)


def _text(value: Any) -> str:
    """Times, prices and receipts as text, so that prices are exact."""
    return value.isoformat() if isinstance(value, datetime) else str(value)
