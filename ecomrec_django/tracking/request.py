"""What is known of one request until its response is out."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest

from .observation import Observation

# The request that is being answered, for signal receivers that are not told.
current_request: ContextVar[HttpRequest | None] = ContextVar("ecomrec_request", default=None)


@dataclass
class Told:
    """``seen``: what the shopper did. ``numbers``: of orders the shopper placed. ``orders`` and ``reviews``: the shop's
    own rows that were saved, by key. ``account``: who logged in."""

    seen: list[Observation] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    orders: dict[Any, Any] = field(default_factory=dict)
    reviews: dict[Any, Any] = field(default_factory=dict)
    account: Any = None

    def __bool__(self) -> bool:
        return bool(self.seen or self.numbers or self.orders or self.reviews or self.account is not None)


def of(request: HttpRequest) -> Told:
    """What was told of ``request`` so far."""
    # REST framework's request is a wrapping of Django's own, which is the one that the middleware sees.
    django: Any = getattr(request, "_request", request)
    told = getattr(django, "_ecomrec_told", None)
    if told is None:
        told = django._ecomrec_told = Told()
    return told
