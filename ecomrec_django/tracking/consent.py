"""Whether a shopper agreed to be recorded, and what happens when they change their mind."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from ..conf import conf
from ..models import Visitor
from ..models.bulk import storable
from .visitors import COOKIE_SECONDS, FOREVER, VisitorIds, delete_cookie, key_of, token_key, token_of

CONSENT_COOKIE = "ecomrec_consent"
AGREED, REFUSED = "yes", "no"


def opt_in(request: HttpRequest) -> bool:
    """The default ``ECOMREC["CONSENT"]``: recorded only with the cookie ``ecomrec_consent=yes``."""
    return request.COOKIES.get(CONSENT_COOKIE) == AGREED


def opt_out(request: HttpRequest) -> bool:
    """Recorded unless the cookie ``ecomrec_consent=no`` says otherwise."""
    return request.COOKIES.get(CONSENT_COOKIE) != REFUSED


def chosen(request: HttpRequest) -> bool:
    """Whether this shopper has said yes or no in this browser."""
    return request.COOKIES.get(CONSENT_COOKIE) in {AGREED, REFUSED}


def signalled(request: HttpRequest) -> bool:
    """Whether the browser sends Global Privacy Control or Do Not Track, which outweigh any consent."""
    return request.headers.get("Sec-GPC") == "1" or request.headers.get("DNT") == "1"


def consents(request: HttpRequest) -> bool:
    """Whether this shopper may be recorded. No query, nothing read but the request."""
    return not signalled(request) and bool(conf.CONSENT(request))


def agree(request: HttpRequest, response: HttpResponseBase) -> None:
    """Remember that this shopper agrees. For an account that had withdrawn, only what comes from now on is learned
    from."""
    _remember(request, response, AGREED)
    Visitor.objects.filter(key=key_of(request), excluded_until=storable(FOREVER)).update(excluded_until=timezone.now())


def withdraw(request: HttpRequest, response: HttpResponseBase) -> None:
    """Stop recording this shopper, on all devices of an account, and learn no more from what was recorded."""
    _remember(request, response, REFUSED)
    exclude(key_of(request))
    if token := token_of(request):
        exclude(token_key(token))
        delete_cookie(response)


def exclude(key: str) -> None:
    """Take the visitor under ``key`` out of learning. Those merged into it go with it."""
    if key:
        visitor = VisitorIds().resolve([key])[key]
        Visitor.objects.filter(pk=visitor).update(excluded_until=storable(FOREVER))


def _remember(request: HttpRequest, response: HttpResponseBase, answer: str) -> None:
    # Scripts may read it: a consent banner wants to know whether to show itself.
    response.set_cookie(
        CONSENT_COOKIE, answer, max_age=COOKIE_SECONDS, secure=request.is_secure(), httponly=False, samesite="Lax"
    )
