"""Records what consenting shoppers do, after the response."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import patch_cache_control, patch_vary_headers

from ..conf import conf
from ..failures import note_failure
from ..models import Kind
from .after_response import after_response
from .bots import is_bot
from .consent import consents, exclude_known
from .importers.orders import import_order, join_guest
from .importers.reviews import import_review
from .observation import Observation
from .omissions import Reason, count_omitted
from .page_views import is_fetched_ahead, product_of_page
from .receivers import try_now
from .request_state import RequestRecord, current_request, request_state
from .sinks import sink
from .visitors import (
    HEADER,
    account_of,
    cookie_token,
    delete_cookie,
    has_forged_cookie,
    has_loaded_account,
    header_token,
    merge,
    new_token,
    set_cookie,
    token_account,
    token_key,
    token_of,
    user_key,
)

# After "not modified", the browser shows the page from its cache.
SHOWN = (200, 304)


class TrackingMiddleware:
    """Records views of product pages (``ECOMREC["TRACK_VIEWS"]``) and the calls of `track`.

    Before the response is sent, it makes no query and touches neither the session nor ``request.user``. It adds
    ``Vary: Cookie`` only to pages with personal offers; others stay as cacheable as they were. Only recorded pages set
    the cookie.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """The response with its cookie and headers; a coroutine of it if ``get_response`` is one."""
        if iscoroutinefunction(self):
            return self._answer_async(request)
        with _answering(request):
            return _process(request, self.get_response(request))

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        with _answering(request):
            return _process(request, await self.get_response(request))


@contextmanager
def _answering(request: HttpRequest) -> Iterator[None]:
    token = current_request.set(request)
    try:
        yield
    finally:
        current_request.reset(token)


def _process(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    try:
        _process_response(request, response)
    except Exception as error:
        note_failure("tracking", error, "A response could not be processed")
    return response


def _process_response(request: HttpRequest, response: HttpResponseBase) -> None:
    state = request_state(request)
    if state.personal:
        # Offers on this page depend on the shopper.
        patch_vary_headers(response, ["Cookie"])
        patch_cache_control(response, private=True)
    record = state.record
    try:
        if viewed := _viewed_item(request, response):
            record.observations.append(Observation(kind=Kind.VIEW_ITEM, item=viewed))
    except Exception as error:
        # Calls of `track` and the shop's own orders are recorded nevertheless.
        count_omitted(Reason.LOST)
        note_failure("tracking", error, "A product page was not recorded")
    if not record:
        return
    if record.account is None:
        # A login to the shop's API with a token sends no signal.
        record.account = token_account(request)
    token, refusal = token_of(request), _refusal(request, response)
    if refusal is None:
        if has_forged_cookie(request):
            _drop_reports(record)
        token = _give_cookie(request, response, token, record)
    elif refusal is Reason.REFUSED and cookie_token(request):
        # This browser has a cookie from an earlier consent.
        delete_cookie(request, response)
    after_response(request, lambda: _deliver(request, record, token, refusal))


def _drop_reports(record: RequestRecord) -> None:
    """Leave out what an invented visitor reports of blocks; a view that the shop sees itself counts for a new one."""
    reports = [observation for observation in record.observations if observation.shown]
    count_omitted(Reason.FORGED, len(reports))
    record.observations = [observation for observation in record.observations if not observation.shown]


def _give_cookie(request: HttpRequest, response: HttpResponseBase, token: str, record: RequestRecord) -> str:
    """The token of the shopper to record: their own or a new one; empty if they are identified by an account, or if the
    browser keeps no cookie."""
    if record.account is not None:
        if cookie_token(request):
            # The account identifies them from now on; after logging out they are a new visitor.
            delete_cookie(request, response)
    elif not token and not has_loaded_account(request) and _keeps_cookies(request):
        token = new_token()
        set_cookie(request, response, token)
        # A shared cache must not hand this visitor's cookie to others.
        patch_cache_control(response, private=True)
    return token


def _keeps_cookies(request: HttpRequest) -> bool:
    """Whether the browser will return a cookie: not to front ends of another site, nor to those with a token header."""
    fetched = request.headers.get("Sec-Fetch-Site") == "cross-site" and request.headers.get("Sec-Fetch-Mode") == "cors"
    return not fetched and not request.headers.get(HEADER)


def _viewed_item(request: HttpRequest, response: HttpResponseBase) -> str:
    """External id of the product that this page shows; empty if it shows none."""
    if response.status_code not in SHOWN:
        return ""
    return product_of_page(request, getattr(response, "context_data", None))


def _refusal(request: HttpRequest, response: HttpResponseBase) -> Reason | None:
    """Why this request is not recorded, as far as is known without a query; None if it is."""
    if response.status_code >= 400:
        return Reason.FAILED
    # Some apps send the name of an HTTP library, but crawlers have no tokens.
    if is_bot(request.headers.get("User-Agent", "")) and not (header_token(request) or token_account(request)):
        return Reason.BOT
    if is_fetched_ahead(request):
        return Reason.PREFETCH
    try:
        return None if consents(request) else Reason.REFUSED
    except Exception as error:
        # Not REFUSED, which would delete the cookie of a shopper who consented.
        note_failure("tracking", error, 'ECOMREC["CONSENT"] failed, so nothing is recorded')
        return Reason.LOST


def _deliver(request: HttpRequest, record: RequestRecord, token: str, refusal: Reason | None) -> None:
    """Write the record of one request; orders and reviews of the shop are imported even after a refusal."""
    guest = ""
    if refusal is None:
        try:
            guest = _record(request, record, token)
        except Exception as error:
            count_omitted(Reason.LOST, len(record.observations))
            note_failure("tracking", error, "Events were not recorded")
    else:
        count_omitted(refusal, len(record.observations))
        if refusal is Reason.REFUSED and (given := cookie_token(request)):
            try_now(exclude_known, token_key(given))
    for order in record.orders.values():
        try_now(import_order, order, guest)
    for review in record.reviews.values():
        try_now(import_review, review)


def _record(request: HttpRequest, record: RequestRecord, token: str) -> str:
    """Write the shopper's actions; returns the Visitor.key of a guest, empty for an account."""
    user = record.account if record.account is not None else account_of(request)
    if user is not None:
        if record.account is not None:
            for own in {token, cookie_token(request)} - {""}:
                try_now(merge, own, user.pk)
        if getattr(user, "is_staff", False):
            count_omitted(Reason.STAFF, len(record.observations))
            return ""
    elif not token:
        # The shopper logged out within this request, or has nothing by which to recognise them.
        count_omitted(Reason.REFUSED, len(record.observations))
        return ""
    key = token_key(token) if user is None else user_key(user.pk)
    if record.observations:
        policy = conf.POLICY_VERSION
        sink().write([replace(observation, visitor=key, policy=policy) for observation in record.observations])
    if user is not None:
        return ""
    for number in record.order_numbers:
        try_now(join_guest, number, key)
    return key
