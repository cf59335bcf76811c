"""Consent to tracking: given, refused and withdrawn."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from ..conf import conf
from ..db import to_db_time
from ..models import Visitor
from .visitors import (
    COOKIE_SECONDS,
    FOREVER,
    VisitorIds,
    cookie_token,
    delete_cookie,
    header_token,
    key_of,
    token_key,
)

CONSENT_COOKIE = "ecomrec_consent"
# Sent instead by front ends that cannot use the cookie.
CONSENT_HEADER = "X-Ecomrec-Consent"
AGREED, REFUSED = "yes", "no"


def answer_of(request: HttpRequest) -> str:
    """AGREED or REFUSED, from the cookie or the header; "" for neither. A refusal takes precedence."""
    answers = {request.COOKIES.get(CONSENT_COOKIE), request.headers.get(CONSENT_HEADER)}
    return next((answer for answer in (REFUSED, AGREED) if answer in answers), "")


def opt_in(request: HttpRequest) -> bool:
    """The default ``ECOMREC["CONSENT"]``: only shoppers who agreed are recorded."""
    return answer_of(request) == AGREED


def opt_out(request: HttpRequest) -> bool:
    """All shoppers are recorded except those who refused."""
    return answer_of(request) != REFUSED


def chosen(request: HttpRequest) -> bool:
    """Whether this shopper has agreed or refused in this browser."""
    return bool(answer_of(request))


def signalled(request: HttpRequest) -> bool:
    """Whether the browser sends Global Privacy Control or Do Not Track, which outweigh any consent."""
    return request.headers.get("Sec-GPC") == "1" or request.headers.get("DNT") == "1"


def consents(request: HttpRequest) -> bool:
    """Whether this shopper may be recorded; reads only the request and makes no query."""
    return not signalled(request) and bool(conf.CONSENT(request))


def agree(request: HttpRequest, response: HttpResponseBase) -> None:
    """Store that this shopper agrees. If the account had withdrawn, training uses only later events."""
    _remember(request, response, AGREED)
    Visitor.objects.filter(key=key_of(request), excluded_until=to_db_time(FOREVER)).update(
        excluded_until=timezone.now()
    )


def withdraw(request: HttpRequest, response: HttpResponseBase) -> None:
    """Stop recording this shopper, on all devices of an account, and stop using recorded data."""
    _remember(request, response, REFUSED)
    exclude(key_of(request))
    for token in filter(None, (header_token(request), cookie_token(request))):
        exclude(token_key(token))
    if cookie_token(request):
        delete_cookie(request, response)


def exclude(key: str) -> None:
    """Exclude the visitor under ``key``, with those merged into it, from training: also what is on its way here."""
    if key:
        visitor = VisitorIds().resolve([key])[key]
        Visitor.objects.filter(pk=visitor).update(excluded_until=to_db_time(FOREVER))


def exclude_known(key: str) -> None:
    """`exclude`, if anything is stored under ``key``."""
    if Visitor.objects.filter(key=key).exists():
        exclude(key)


def _remember(request: HttpRequest, response: HttpResponseBase, answer: str) -> None:
    # Readable for scripts, so that a consent banner knows whether to show itself.
    response.set_cookie(
        CONSENT_COOKIE, answer, max_age=COOKIE_SECONDS, secure=request.is_secure(), httponly=False, samesite="Lax"
    )
