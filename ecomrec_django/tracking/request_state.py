"""The state of one request: everything that this package attaches to a request is defined here."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.http import HttpRequest

from .observation import Observation

T = TypeVar("T")

# The request that is being answered, for signal receivers that are not handed one.
current_request: ContextVar[HttpRequest | None] = ContextVar("ecomrec_request", default=None)
_ATTRIBUTE = "_ecomrec"
# Django's caching middleware stores a response only while this attribute of the request is true.
_CACHEABLE = "_cache_update_cache"


@dataclass(kw_only=True)
class RequestRecord:
    """What is written after the response.

    observations: what the shopper did.
    order_numbers: numbers of orders that the shopper placed.
    orders, reviews: the shop's own rows that were saved, by primary key.
    account: the user who logged in, None for nobody.
    """

    observations: list[Observation] = field(default_factory=list)
    order_numbers: list[str] = field(default_factory=list)
    orders: dict[Any, Any] = field(default_factory=dict)
    reviews: dict[Any, Any] = field(default_factory=dict)
    account: Any = None

    def __bool__(self) -> bool:
        return bool(self.observations or self.order_numbers or self.orders or self.reviews or self.account is not None)


@dataclass
class RequestState:
    """The state of one request.

    record: what is written after the response.
    personal: whether the response depends on the shopper, so that shared caches must not store it.
    authenticate: returns the user of a view that has not authenticated the request yet; None elsewhere.
    """

    record: RequestRecord = field(default_factory=RequestRecord)
    personal: bool = False
    authenticate: Callable[[], Any] | None = None
    _objects: dict[type[Any], object] = field(default_factory=dict)

    def get_or_create(self, kind: type[T], make: Callable[[], T]) -> T:
        """The only instance of class ``kind`` for this request, created by ``make`` on first use."""
        existing = self._objects.get(kind)
        if isinstance(existing, kind):
            return existing
        created = self._objects[kind] = make()
        return created


def request_state(request: HttpRequest) -> RequestState:
    """The state of ``request``, empty at first."""
    # REST framework wraps Django's request, which is the one that the middleware sees.
    django_request: Any = getattr(request, "_request", request)
    state: RequestState | None = getattr(django_request, _ATTRIBUTE, None)
    if state is None:
        state = RequestState()
        setattr(django_request, _ATTRIBUTE, state)
    return state


def mark_personal(request: HttpRequest) -> None:
    """The response depends on the shopper: neither shared caches nor Django's may store it.

    `cache_page` stores a view's response before `TrackingMiddleware` could mark it as private.
    """
    request_state(request).personal = True
    setattr(getattr(request, "_request", request), _CACHEABLE, False)


def recorded(request: HttpRequest) -> RequestRecord:
    """The record of ``request`` so far."""
    return request_state(request).record
