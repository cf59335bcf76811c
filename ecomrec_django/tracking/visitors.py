"""Who a shopper is to us: a keyed hash, and only if the shopper agreed."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import salted_hmac

from ..learning.past import Past
from ..models import Event, Exposure, GuestOrder, HeldEvent, Impression, Profile, Visitor
from ..models.bulk import LOOKUP, aware, chunks
from .retry import persistently

COOKIE = "ecomrec_visitor"
COOKIE_SECONDS = 365 * 24 * 3600
# `Visitor.excluded_until` of somebody who withdrew consent; every database and Arrow can hold it.
FOREVER = datetime(2200, 1, 1, tzinfo=UTC)
_SALT = "ecomrec_django.visitor"


# -- keys -----------------------------------------------------------------------------------------------------------


def user_key(user_pk: Any) -> str:
    """Visitor.key of an account."""
    return _key(f"user:{user_pk}")


def token_key(token: str) -> str:
    """Visitor.key of a cookie token, or of any other name of somebody without an account."""
    return _key(f"token:{token}")


def _successor(key: str) -> str:
    """Who uses a cookie after its history, under ``key``, has joined an account."""
    return _key(f"after:{key}")


def _key(text: str) -> str:
    return salted_hmac(_SALT, text, algorithm="sha256").hexdigest()


# -- the cookie -----------------------------------------------------------------------------------------------------


def token_of(request: HttpRequest) -> str:
    """The token in this browser's cookie; empty if it has none, or one we would not have given."""
    token = request.COOKIES.get(COOKIE, "")
    return token if len(token) == 32 and token.isalnum() and token.isascii() else ""


def new_token() -> str:
    return secrets.token_hex(16)


def set_cookie(response: HttpResponseBase, token: str, *, secure: bool) -> None:
    """Give the browser its token: first party, out of scripts' reach."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=COOKIE_SECONDS,
        secure=secure or settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def delete_cookie(response: HttpResponseBase) -> None:
    response.delete_cookie(COOKIE, samesite="Lax")


# -- rows -----------------------------------------------------------------------------------------------------------


def account_of(request: HttpRequest) -> Any:
    """The account behind a request; None for a guest. A browser without a session cookie has none to look up."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None


def key_of(request: HttpRequest) -> str:
    """Visitor.key of who asks: the account's, else the cookie's; empty for neither."""
    user = account_of(request)
    if user is not None:
        return user_key(user.pk)
    token = token_of(request)
    return token_key(token) if token else ""


def current_key(request: HttpRequest) -> str:
    """`key_of`, but for a cookie that has joined an account and lives on: the key of its next user."""
    key = key_of(request)
    while key and Visitor.objects.filter(key=key, merged_into__isnull=False).exists():
        key = _successor(key)
    return key


class Known(NamedTuple):
    """A Visitor row as far as recording needs it."""

    key: str
    pk: int
    withdrawn: bool


class VisitorIds:
    """Visitor rows by key, made where missing; looks each one up once.

    With ``lock``, inside a transaction, the rows are held to its end: neither a login nor an erasure comes between.
    """

    def __init__(self, *, lock: bool = False) -> None:
        self._known: dict[str, Known] = {}
        self._rows = Visitor.objects.select_for_update().order_by("pk") if lock else Visitor.objects.all()

    def resolve(self, keys: Iterable[str]) -> dict[str, int]:
        """Visitor.pk of each key."""
        return {key: visitor.pk for key, visitor in self.known(keys).items()}

    def known(self, keys: Iterable[str]) -> dict[str, Known]:
        """A cookie that was merged into an account and lives on (the answer that took it away was lost) stands for
        somebody new: its next user need not be the account's owner."""
        wanted = set(keys)
        if missing := wanted - self._known.keys():
            spent = self.find(missing)
            if new := missing - self._known.keys() - spent:
                Visitor.objects.bulk_create([Visitor(key=key) for key in sorted(new)], ignore_conflicts=True)
                spent |= self.find(new)
            if spent:
                successors = {key: _successor(key) for key in spent}
                found = self.known(successors.values())
                self._known.update({key: found[successor] for key, successor in successors.items()})
        return {key: self._known[key] for key in wanted}

    def find(self, keys: set[str]) -> set[str]:
        """Take up the rows of ``keys`` that there are; returns the keys that have joined an account."""
        spent = set()
        for some in chunks(keys, LOOKUP):
            rows = self._rows.filter(key__in=some).values_list("key", "pk", "merged_into", "excluded_until")
            for key, pk, merged_into, excluded_until in rows:
                if merged_into is None:
                    self._known[key] = Known(key, pk, excluded_until is not None and aware(excluded_until) == FOREVER)
                else:
                    spent.add(key)
        return spent


def merge(token: str, user_pk: Any) -> bool:
    """Let the history of a cookie join that of an account, once; False if there is none to join.

    Nothing joins for somebody who withdrew consent: what was set aside stays aside.
    """
    return persistently(lambda: _merge(token_key(token), user_key(user_pk)))


def _merge(key: str, account: str) -> bool:
    into = VisitorIds(lock=True).resolve([account])[account]
    free = Visitor.objects.filter(key=key, merged_into=None, excluded_until=None)
    pk = free.values_list("pk", flat=True).first()
    # The update decides between two logins at the same time: one of them finds the row taken.
    if pk is None or not free.update(merged_into=into):
        return False
    for model in (Event, HeldEvent, Impression, Exposure, GuestOrder):
        model._default_manager.filter(visitor=pk).update(visitor=into)
    _merge_profiles(pk, into)
    return True


def _merge_profiles(cookie: int, account: int) -> None:
    """What a cookie's profile holds goes into the account's, to be known at once and not after the next training."""
    profiles = {one.visitor_id: one for one in Profile.objects.filter(visitor__in=[cookie, account])}
    if cookie not in profiles:
        return
    own = profiles.get(account)
    if own is None:
        Profile.objects.filter(visitor=cookie).update(visitor=account)
        return
    own.past = Past.unpacked(bytes(own.past)).joined(Past.unpacked(bytes(profiles[cookie].past))).packed()
    own.save(update_fields=["past"])
    profiles[cookie].delete()
