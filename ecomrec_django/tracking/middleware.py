"""Records what consenting shoppers do, once the response is out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import patch_cache_control, patch_vary_headers

from ..conf import conf
from ..models import Kind
from ..serving.failures import note_failure
from .after import after_response
from .bots import is_bot
from .cleaning import clean_item
from .consent import consents, exclude
from .observation import Observation
from .orders import import_order, join_guest
from .prompt import promptly
from .request import Told, current_request, of
from .reviews import import_review
from .sinks import sink
from .tally import Reason, leave_out
from .visitors import account_of, delete_cookie, merge, new_token, set_cookie, token_key, token_of, user_key

CONTEXT = "context:"
# A browser that is told "not modified" shows the page as well.
SHOWN = (200, 304)
# Headers by which browsers say that nobody looks yet.
PREFETCH = ("Sec-Purpose", "Purpose", "X-Moz")


class TrackingMiddleware:
    """Sees product pages (``ECOMREC["TRACK_VIEWS"]``) and what views said through `track`.

    Before the response is out it makes no query, touches neither the session nor ``request.user``, and adds no
    ``Vary: Cookie`` but to a page whose offers follow from who asks: others stay as cacheable as they were. Only a page
    that is recorded gets the cookie.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if iscoroutinefunction(self):
            return self._answer_async(request)
        with _answering(request):
            return _watched(request, self.get_response(request))

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        with _answering(request):
            return _watched(request, await self.get_response(request))


@contextmanager
def _answering(request: HttpRequest) -> Iterator[None]:
    token = current_request.set(request)
    try:
        yield
    finally:
        current_request.reset(token)


def _watched(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    try:
        _watch(request, response)
    except Exception as error:
        note_failure("tracking", error, "A page could not be looked at")
    return response


def _watch(request: HttpRequest, response: HttpResponseBase) -> None:
    if getattr(request, "_ecomrec_personal", False):
        # Offers on this page follow from who asks.
        patch_vary_headers(response, ["Cookie"])
        patch_cache_control(response, private=True)
    told = of(request)
    try:
        if viewed := _viewed(request, response):
            told.seen.append(Observation(Kind.VIEW_ITEM, viewed))
    except Exception as error:
        # What the view said, and the shop's own orders, are recorded all the same.
        leave_out(Reason.LOST)
        note_failure("tracking", error, "A product page was not recorded")
    if not told:
        return
    token, refusal = token_of(request), _refusal(request, response)
    if refusal is None:
        token = _give_cookie(request, response, token, told)
    elif refusal is Reason.REFUSED and token:
        # Agreed once in this browser, and no longer.
        delete_cookie(response)
    after_response(request, lambda: _deliver(request, told, token, refusal))


def _give_cookie(request: HttpRequest, response: HttpResponseBase, token: str, told: Told) -> str:
    """The token of who is recorded: the browser's, or a new one; empty if an account is all they need."""
    if told.account is not None:
        if token:
            # From now on the account is who they are, and after logging out they are somebody new.
            delete_cookie(response)
    elif not token and not _known_account(request):
        token = new_token()
        set_cookie(response, token, secure=request.is_secure())
        # A shared cache must not hand this visitor's cookie to others.
        patch_cache_control(response, private=True)
    return token


def _viewed(request: HttpRequest, response: HttpResponseBase) -> str:
    """External id of the product that this page shows; empty if it shows none."""
    match = request.resolver_match
    if match is None or request.method != "GET" or response.status_code not in SHOWN:
        return ""
    where = conf.TRACK_VIEWS.get(match.view_name)
    if where is None:
        return ""
    if where.startswith(CONTEXT):
        product = (getattr(response, "context_data", None) or {}).get(where.removeprefix(CONTEXT))
        return "" if product is None else clean_item(conf.CATALOG().external_id(product))
    return clean_item(str(match.kwargs[where])) if where in match.kwargs else ""


def _refusal(request: HttpRequest, response: HttpResponseBase) -> Reason | None:
    """Why nothing the shopper did is recorded, as far as can be told without the database."""
    if response.status_code >= 400:
        return Reason.FAILED
    if is_bot(request.headers.get("User-Agent", "")):
        return Reason.BOT
    if any("prefetch" in request.headers.get(name, "") for name in PREFETCH):
        return Reason.PREFETCH
    try:
        return None if consents(request) else Reason.REFUSED
    except Exception as error:
        # Not a refusal, which would forget a shopper who agreed.
        note_failure("tracking", error, 'ECOMREC["CONSENT"] failed, so nothing is recorded')
        return Reason.LOST


def _known_account(request: HttpRequest) -> bool:
    """Whether the view has looked and found an account; what nobody has looked at is left alone."""
    user = getattr(request, "_cached_user", None)
    return user is not None and user.is_authenticated


def _deliver(request: HttpRequest, told: Told, token: str, refusal: Reason | None) -> None:
    """Everything of one request that has to be written; the shop's own orders and reviews in any case."""
    guest = ""
    if refusal is None:
        try:
            guest = _record(request, told, token)
        except Exception as error:
            leave_out(Reason.LOST, len(told.seen))
            note_failure("tracking", error, "Events were not recorded")
    else:
        leave_out(refusal, len(told.seen))
        if refusal is Reason.REFUSED and token:
            promptly(exclude, token_key(token))
    for order in told.orders.values():
        promptly(import_order, order, guest)
    for review in told.reviews.values():
        promptly(import_review, review)


def _record(request: HttpRequest, told: Told, token: str) -> str:
    """Write what the shopper did; returns the Visitor.key of a guest, empty for an account."""
    user = told.account if told.account is not None else account_of(request)
    if user is not None:
        if token and told.account is not None:
            promptly(merge, token, user.pk)
        if getattr(user, "is_staff", False):
            leave_out(Reason.STAFF, len(told.seen))
            return ""
    elif not token:
        # Logged out within this very request.
        leave_out(Reason.REFUSED, len(told.seen))
        return ""
    key = token_key(token) if user is None else user_key(user.pk)
    if told.seen:
        policy = conf.POLICY_VERSION
        sink().write([replace(one, visitor=key, policy=policy) for one in told.seen])
    if user is not None:
        return ""
    for number in told.numbers:
        promptly(join_guest, number, key)
    return key
