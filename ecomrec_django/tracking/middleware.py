"""Records the product pages that consenting shoppers open."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from ..conf import conf
from ..models import Event, Item, Kind
from .bots import is_bot
from .visitors import VisitorIds, new_token, set_cookie, token_key, token_of, user_key

logger = logging.getLogger(__name__)


class TrackingMiddleware:
    """Writes one ``view_item`` per page named in ``ECOMREC["TRACK_VIEWS"]``, after the view has answered.

    Before the response it touches neither the session nor ``request.user``, and it adds no ``Vary: Cookie``: pages stay
    as cacheable as they were. Staff, bots and shoppers who did not agree are left out. What goes wrong is only logged.
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
        response = self.get_response(request)
        if _worth_recording(request, response):
            _record(request, response)
        return response

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = await self.get_response(request)
        if _worth_recording(request, response):
            await sync_to_async(_record)(request, response)
        return response


def _viewed(request: HttpRequest) -> str:
    """External id of the product this page shows; empty if it shows none."""
    match = request.resolver_match
    if match is None or match.view_name not in conf.TRACK_VIEWS:
        return ""
    return str(match.kwargs.get(conf.TRACK_VIEWS[match.view_name], ""))


def _worth_recording(request: HttpRequest, response: HttpResponseBase) -> bool:
    """What can be told without the database."""
    try:
        return (
            request.method == "GET"
            and response.status_code == 200
            and bool(_viewed(request))
            and not is_bot(request.headers.get("User-Agent", ""))
            and bool(conf.CONSENT(request))
        )
    except Exception:
        logger.exception("A page view could not be judged")
        return False


def _record(request: HttpRequest, response: HttpResponseBase) -> None:
    try:
        # An atomic block of its own: a failure in here leaves a transaction around the request usable.
        with transaction.atomic():
            _write(request, response)
    except DatabaseError:
        logger.exception("A page view could not be recorded")


def _write(request: HttpRequest, response: HttpResponseBase) -> None:
    item = Item.objects.filter(external_id=_viewed(request)).values_list("pk", flat=True).first()
    if item is None:
        return
    user = _user_of(request)
    if user is not None and user.is_staff:
        return
    if user is not None:
        key = user_key(user.pk)
    else:
        token = token_of(request)
        if not token:
            token = new_token()
            set_cookie(response, token, secure=request.is_secure())
        key = token_key(token)
    visitor = VisitorIds().resolve([key])[key]
    Event.objects.create(kind=Kind.VIEW_ITEM, visitor_id=visitor, item_id=item, time=timezone.now())


def _user_of(request: HttpRequest) -> Any:
    """The account behind a request; None for a guest. A browser without a session cookie has none to look up."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None
