"""Views of product pages: whose page a response is, and whether anybody sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from ..conf import conf
from .validation import clean_item

CONTEXT = "context:"
# Headers by which browsers and libraries mark a page that is fetched before anybody asks for it.
PURPOSES = ("Sec-Purpose", "X-Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
AHEAD = ("prefetch", "prerender", "preview", "preload")


def is_fetched_ahead(request: HttpRequest) -> bool:
    """Whether a page is fetched in case somebody will want it: by speculation rules, Turbo, htmx and their kin.

    The preload by which a service worker speeds up a visit is none: somebody waits for that page.
    """
    if request.headers.get("HX-Preloaded", "").lower() == "true":
        return True
    purposes = " ".join(request.headers.get(name, "") for name in PURPOSES).lower()
    return any(word in purposes for word in AHEAD)


def product_of_page(request: HttpRequest, context: Mapping[str, Any] | None) -> str:
    """External id of the product that a page of ``ECOMREC["TRACK_VIEWS"]`` shows; "" for every other page.

    context: of the page's template; None without one
    """
    match = request.resolver_match
    source = conf.TRACK_VIEWS.get(match.view_name) if match is not None and request.method == "GET" else None
    if source is None or match is None:
        return ""
    if source.startswith(CONTEXT):
        product = (context or {}).get(source.removeprefix(CONTEXT))
        return "" if product is None else clean_item(conf.CATALOG().external_id(product))
    return clean_item(str(match.kwargs[source])) if source in match.kwargs else ""
