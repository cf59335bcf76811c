"""Shoppers who agreed, and what is known of them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from django.test import RequestFactory

from ecomrec_django.learning.ranking.shopper_history import PURCHASE, ShopperHistory
from ecomrec_django.models import Item, Profile, Segment, Visitor
from ecomrec_django.tracking.consent import CONSENT_COOKIE
from ecomrec_django.tracking.visitors import COOKIE, sign_cookie, token_key

TOKEN = "a" * 32


def asking(token: str = TOKEN, consent: str = "yes"):
    """A request of the browser with this token."""
    request = RequestFactory().get("/")
    request.COOKIES = {COOKIE: sign_cookie(token), CONSENT_COOKIE: consent}
    return request


def remember(item: str, token: str = TOKEN, segment: Segment | None = None) -> Visitor:
    """A visitor who bought ``item`` once, before the last training."""
    visitor = Visitor.objects.create(key=token_key(token))
    bought = np.array([Item.objects.get_or_create(external_id=item, defaults={"title": item})[0].pk])
    past = ShopperHistory.of(bought, np.array([PURCHASE]), np.array([17_000.0]), np.array([0]), np.array([np.nan]))
    Profile.objects.create(
        visitor=visitor, segment=segment, history=past.to_bytes(), until=datetime(2026, 1, 1, tzinfo=UTC)
    )
    return visitor
