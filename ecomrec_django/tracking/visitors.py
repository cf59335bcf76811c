"""Visitors: keyed hashes of the accounts, cookies and tokens of shoppers who consented."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.functional import LazyObject

from ..db import MAX_LOOKUP_IDS, DriverValues, bulk_insert, chunks, to_aware
from ..learning.ranking.shopper_history import ShopperHistory
from ..models import Event, Exposure, GuestOrder, HeldEvent, Impression, Profile, Visitor
from .request_state import request_state
from .transactions import retry_transaction

COOKIE = "ecomrec_visitor"
# Its name under HTTPS: browsers accept this prefix from the shop's own host alone, not from sibling domains.
SECURE_COOKIE = f"__Host-{COOKIE}"
# Sent by front ends that cannot use the cookie: apps, and pages of another site.
HEADER = "X-Ecomrec-Visitor"
COOKIE_SECONDS = 365 * 24 * 3600
# `Visitor.excluded_until` after a withdrawal of consent; every database and Arrow can store it.
FOREVER = datetime(2200, 1, 1, tzinfo=UTC)
_SALT = "ecomrec_django.visitor"
_COOKIE_SALT = "ecomrec_django.visitor.cookie"
_HEADER_SALT, _HEADER_PREFIX = "ecomrec_django.visitor.header", "header:"


# -- keys -----------------------------------------------------------------------------------------------------------


def user_key(user_pk: Any) -> str:
    """Visitor.key of an account."""
    return _key(f"user:{user_pk}")


def token_key(token: str) -> str:
    """Visitor.key of a cookie's or header's token, or of any other name of a visitor without an account."""
    return _key(f"token:{token}")


def guest_key(guest: str) -> str:
    """Visitor.key of a guest known by `PurchaseLine.guest`."""
    return _key(f"guest:{guest}")


def _successor(key: str) -> str:
    """Visitor.key of the next user of a cookie whose history, under ``key``, was merged into an account."""
    return _key(f"after:{key}")


def _key(text: str) -> str:
    return salted_hmac(_SALT, text, algorithm="sha256").hexdigest()


# -- the cookie and the header --------------------------------------------------------------------------------------


def token_of(request: HttpRequest) -> str:
    """The token of a guest: the header's if there is a header, even an invalid one, else the cookie's; empty for none.

    The header takes precedence because pages of sibling domains can set cookies, but nobody else can send the header.
    """
    return header_token(request) if request.headers.get(HEADER) else cookie_token(request)


def cookie_token(request: HttpRequest) -> str:
    """The token in this browser's cookie; empty if there is none, or it is not signed by this shop or expired."""
    return open_cookie(request.COOKIES.get(cookie_name(request), ""), max_age=COOKIE_SECONDS)


def cookie_name(request: HttpRequest) -> str:
    """The name of the visitor cookie: SECURE_COOKIE under HTTPS."""
    return SECURE_COOKIE if request.is_secure() or settings.SESSION_COOKIE_SECURE else COOKIE


def has_forged_cookie(request: HttpRequest) -> bool:
    """Whether the request has a visitor cookie that this shop did not sign, or that expired."""
    return bool(request.COOKIES.get(cookie_name(request))) and not cookie_token(request)


def sign_cookie(token: str) -> str:
    """The signed form of a token in the cookie; it is valid for a year."""
    return TimestampSigner(salt=_COOKIE_SALT).sign(token)


def open_cookie(signed: str, max_age: int | None = None) -> str:
    """The token that `sign_cookie` signed; empty if the signature is invalid or older than ``max_age`` seconds."""
    try:
        return TimestampSigner(salt=_COOKIE_SALT).unsign(signed, max_age=max_age)
    except BadSignature:
        return ""


def header_token(request: HttpRequest) -> str:
    """The token in the header; empty if there is none, or it is not signed by this shop or expired."""
    return open_token(request.headers.get(HEADER, ""), max_age=COOKIE_SECONDS)


def sign_token(token: str) -> str:
    """The signed form of a token, which front ends send in the header; it is valid for a year."""
    return TimestampSigner(salt=_HEADER_SALT).sign(token.removeprefix(_HEADER_PREFIX))


def open_token(signed: str, max_age: int | None = None) -> str:
    """The token that `sign_token` signed; empty if the signature is invalid or older than ``max_age`` seconds.

    It begins with a prefix, so that it is never a cookie's.
    """
    try:
        return _HEADER_PREFIX + TimestampSigner(salt=_HEADER_SALT).unsign(signed, max_age=max_age)
    except BadSignature:
        return ""


def new_token() -> str:
    """A random token for a new visitor."""
    return secrets.token_hex(16)


def named_token(name: str) -> str:
    """The token in the value of a cookie or of the header, else ``name`` itself."""
    return open_token(name) or open_cookie(name) or name


def set_cookie(request: HttpRequest, response: HttpResponseBase, token: str) -> None:
    """Set the visitor cookie: signed, first-party and unreadable for scripts."""
    name = cookie_name(request)
    response.set_cookie(
        name,
        sign_cookie(token),
        max_age=COOKIE_SECONDS,
        secure=name == SECURE_COOKIE,
        httponly=True,
        samesite="Lax",
    )


def delete_cookie(request: HttpRequest, response: HttpResponseBase) -> None:
    """Delete the visitor cookie."""
    response.delete_cookie(cookie_name(request), samesite="Lax")


# -- rows -----------------------------------------------------------------------------------------------------------


def account_of(request: HttpRequest) -> Any:
    """The account behind a request according to the view's authentication, else to the session; None for a guest.

    Without a session cookie or credentials, nothing is looked up.
    """
    authenticate = request_state(request).authenticate
    user = getattr(request, "user", None) if authenticate is None else authenticate()
    if isinstance(user, LazyObject) and not _has_credentials(request):
        return None
    return user if user is not None and user.is_authenticated else None


def token_account(request: HttpRequest) -> Any:
    """The account that a view found by the ``Authorization`` header, such as a Bearer token; None for none."""
    user = getattr(request, "user", None)
    # The session's user is a lazy object, even after REST framework has authenticated it.
    if user is None or isinstance(user, LazyObject) or "Authorization" not in request.headers:
        return None
    return user if user.is_authenticated else None


def has_loaded_account(request: HttpRequest) -> bool:
    """Whether the view has already loaded a logged-in user; this function does not load one."""
    user = getattr(request, "_cached_user", None)
    return user is not None and user.is_authenticated


def _has_credentials(request: HttpRequest) -> bool:
    """Whether the request may belong to an account."""
    return settings.SESSION_COOKIE_NAME in request.COOKIES or "Authorization" in request.headers


def key_of(request: HttpRequest) -> str:
    """Visitor.key of the account, else of the guest's token; empty if the request has neither."""
    user = account_of(request)
    if user is not None:
        return user_key(user.pk)
    token = token_of(request)
    return token_key(token) if token else ""


def current_key(request: HttpRequest) -> str:
    """`key_of`, except for a token that was merged into an account and is still in use: the key of its next user."""
    key = key_of(request)
    while key and Visitor.objects.filter(key=key, merged_into__isnull=False).exists():
        key = _successor(key)
    return key


class KnownVisitor(NamedTuple):
    """The columns of a Visitor row that recording needs."""

    key: str
    pk: int
    is_withdrawn: bool


class VisitorIds:
    """Visitor rows by key, created if missing; each is looked up once.

    lock: lock the rows until the end of the transaction, so that no login or erasure interferes.
    """

    def __init__(self, *, lock: bool = False) -> None:
        self._known: dict[str, KnownVisitor] = {}
        self._rows = Visitor.objects.select_for_update().order_by("pk") if lock else Visitor.objects.all()

    def resolve(self, keys: Iterable[str]) -> dict[str, int]:
        """Visitor.pk of each key."""
        return {key: visitor.pk for key, visitor in self.known(keys).items()}

    def known(self, keys: Iterable[str]) -> dict[str, KnownVisitor]:
        """The visitor of each key, created if missing.

        A cookie that was merged into an account and is still in use (the response that deleted it was lost) gets a
        new visitor: its next user need not be the account's owner.
        """
        keys = set(keys)
        if missing := keys - self._known.keys():
            merged = self.find(missing)
            if new := missing - self._known.keys() - merged:
                created = DriverValues(Visitor).time(timezone.now())
                bulk_insert(Visitor, ("key", "created"), [(key, created) for key in sorted(new)], ignore=True)
                merged |= self.find(new)
            if merged:
                successors = {key: _successor(key) for key in merged}
                visitors = self.known(successors.values())
                self._known.update({key: visitors[successor] for key, successor in successors.items()})
        return {key: self._known[key] for key in keys}

    def find(self, keys: set[str]) -> set[str]:
        """Look up the existing rows of ``keys``; returns the keys that were merged into an account."""
        merged = set()
        for chunk in chunks(keys, MAX_LOOKUP_IDS):
            rows = self._rows.filter(key__in=chunk).values_list("key", "pk", "merged_into", "excluded_until")
            for key, pk, merged_into, excluded_until in rows:
                if merged_into is None:
                    self._known[key] = KnownVisitor(
                        key, pk, excluded_until is not None and to_aware(excluded_until) == FOREVER
                    )
                else:
                    merged.add(key)
        return merged


def merge(token: str, user_pk: Any) -> bool:
    """Merge the history of a token into that of an account, once; False if there is nothing to merge.

    The history of a shopper who withdrew consent is not merged.
    """
    # Apps send their token with every request of an account, so check before locking.
    if not _unmerged(token_key(token)).exists():
        return False
    return retry_transaction(lambda: _merge(token_key(token), user_key(user_pk)))


def _merge(key: str, account_key: str) -> bool:
    account = VisitorIds(lock=True).resolve([account_key])[account_key]
    free = _unmerged(key)
    pk = free.values_list("pk", flat=True).first()
    # Of two simultaneous logins, only one updates the row.
    if pk is None or not free.update(merged_into=account):
        return False
    for model in (Event, HeldEvent, Impression, Exposure, GuestOrder):
        model._default_manager.filter(visitor=pk).update(visitor=account)
    _merge_profiles(pk, account)
    return True


def _unmerged(key: str) -> QuerySet[Visitor]:
    return Visitor.objects.filter(key=key, merged_into=None, excluded_until=None)


def _merge_profiles(cookie: int, account: int) -> None:
    """Merge the cookie's profile into the account's, so that offers use it before the next training."""
    profiles = {profile.visitor_id: profile for profile in Profile.objects.filter(visitor__in=[cookie, account])}
    if cookie not in profiles:
        return
    profile = profiles.get(account)
    if profile is None:
        Profile.objects.filter(visitor=cookie).update(visitor=account)
        return
    profile.history = (
        ShopperHistory.from_bytes(bytes(profile.history))
        .merged_with(ShopperHistory.from_bytes(bytes(profiles[cookie].history)))
        .to_bytes()
    )
    profile.save(update_fields=["history"])
    profiles[cookie].delete()
