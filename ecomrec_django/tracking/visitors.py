"""Who a shopper is to us: a keyed hash, and only if the shopper agreed."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import salted_hmac

from ..models import Visitor
from ..models.bulk import LOOKUP, chunks

COOKIE = "ecomrec_visitor"
CONSENT_COOKIE = "ecomrec_consent"
COOKIE_SECONDS = 365 * 24 * 3600
_SALT = "ecomrec_django.visitor"


def opt_in(request: HttpRequest) -> bool:
    """The default ``ECOMREC["CONSENT"]``: recorded only with the cookie ``ecomrec_consent=yes``, never against a
    Global Privacy Control or Do Not Track signal."""
    if request.headers.get("Sec-GPC") == "1" or request.headers.get("DNT") == "1":
        return False
    return request.COOKIES.get(CONSENT_COOKIE) == "yes"


def user_key(user_pk: Any) -> str:
    """Visitor.key of an account."""
    return _key(f"user:{user_pk}")


def token_key(token: str) -> str:
    """Visitor.key of a cookie token, or of any other name of somebody without an account."""
    return _key(f"token:{token}")


def _key(text: str) -> str:
    return salted_hmac(_SALT, text, algorithm="sha256").hexdigest()


def token_of(request: HttpRequest) -> str:
    """The token in this browser's cookie; empty if it has none, or one we would not have given."""
    token = request.COOKIES.get(COOKIE, "")
    return token if len(token) == 32 and token.isalnum() and token.isascii() else ""


def new_token() -> str:
    return secrets.token_hex(16)


def set_cookie(response: HttpResponseBase, token: str, *, secure: bool) -> None:
    """Give the browser its token: first party, out of scripts' reach."""
    response.set_cookie(COOKIE, token, max_age=COOKIE_SECONDS, secure=secure, httponly=True, samesite="Lax")


def visitor_of(request: HttpRequest) -> Visitor | None:
    """The known visitor behind a request: the account's, else the cookie's; None if never seen."""
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        key = user_key(user.pk)
    elif token := token_of(request):
        key = token_key(token)
    else:
        return None
    return Visitor.objects.filter(key=key).first()


class VisitorIds:
    """Visitor rows by key, made where missing; looks each one up once."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def resolve(self, keys: Iterable[str]) -> dict[str, int]:
        """Visitor.pk of each key."""
        wanted = set(keys)
        if missing := wanted - self._known.keys():
            self._find(missing)
            if new := missing - self._known.keys():
                Visitor.objects.bulk_create([Visitor(key=key) for key in sorted(new)], ignore_conflicts=True)
                self._find(new)
        return {key: self._known[key] for key in wanted}

    def _find(self, keys: set[str]) -> None:
        for some in chunks(keys, LOOKUP):
            self._known.update(Visitor.objects.filter(key__in=some).values_list("key", "pk"))
