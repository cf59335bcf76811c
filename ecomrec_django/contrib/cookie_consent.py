"""django-cookie-consent: ``ECOMREC["CONSENT"] = "ecomrec_django.contrib.cookie_consent.analytics"``."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest


def accepted(group: str) -> Callable[[HttpRequest], bool]:
    """A consent function: shoppers consent by accepting the cookie group with ``varname`` ``group``.

    It reads the shopper's cookie and makes no query: an answer stays valid until the shopper gives another one, even if
    the shop adds cookies to the group.
    """

    def consent(request: HttpRequest) -> bool:
        from cookie_consent.util import get_cookie_dict_from_request

        answer = get_cookie_dict_from_request(request).get(group)
        declined = getattr(settings, "COOKIE_CONSENT_DECLINE", "-1")
        return bool(answer) and answer != declined

    return consent


# The group that most shops have.
analytics = accepted("analytics")
