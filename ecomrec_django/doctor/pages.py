"""The template tags in the shop's templates, and a block on a real page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template import engines
from django.template.backends.django import DjangoTemplates
from django.template.utils import get_app_template_dirs
from django.test import Client

from ..catalog.adapter import Catalog
from ..conf import conf
from ..failures import PACKAGE, Failure, message_of, place_of, watch_failures
from ..insights.rule_messages import rule_message
from ..models import OfferList, Publication
from ..serving.page import page_of
from ..serving.selection import examine
from ..tracking import omissions
from .findings import Finding, failure, ok, warning
from .requests import PRIVATE, anonymous_request, rolled_back, server_name

LIBRARY = "ecomrec_django.templatetags.ecomrec"
LOADS = re.compile(r"{%\s*load\s[^%]*\becomrec\b")
BLOCK_TAG = re.compile(r"{%\s*(bought_with|upgrade_to|for_you|buy_again|similar|slot)\b")
SCRIPT_TAG = re.compile(r"{%\s*ecomrec_scripts\b")
VIEW_TAG = re.compile(r"{%\s*(?:ecomrec_view\b|ecomrec_scripts\s+view)")
# A block, whatever its template.
BLOCK = b"data-ecomrec-block"
# Of files that are templates.
SUFFIXES = (".html", ".htm", ".djhtml", ".txt", ".xml")
# Products whose block is examined, and templates that are named.
ANCHORS, NAMED = 20, 3


def tags() -> Iterator[Finding]:
    """Where the shop's templates use the tags."""
    texts = {name: text for name, text in _templates() if _loads(text)}
    blocks = [name for name, text in texts.items() if BLOCK_TAG.search(text)]
    if blocks:
        names = ", ".join(blocks[:NAMED])
        yield ok("tags", f"{len(blocks)} templates show offers: {names}{'…' if len(blocks) > NAMED else ''}")
    else:
        remedy = "Add {% load ecomrec %} and {% bought_with product %} to a template, or show offers of the JSON API."
        yield warning("tags", "no template of the shop shows offers", remedy)
    if blocks and not any(SCRIPT_TAG.search(text) for text in texts.values()):
        remedy = "Add {% load ecomrec %}{% ecomrec_scripts %} to the <head> of the base template."
        yield warning("tags", "no template has the script, so impressions and clicks are not recorded", remedy)
    if not conf.TRACK_VIEWS and not any(VIEW_TAG.search(text) for text in texts.values()):
        remedy = 'Name the URL of product pages in ECOMREC["TRACK_VIEWS"], or use {% ecomrec_scripts view=product %}.'
        yield warning("views", "no page reports product views", remedy)


def _templates() -> Iterator[tuple[str, str]]:
    """The shop's own templates by name, with their text."""
    own: list[Any] = [engine.engine.dirs for engine in engines.all() if isinstance(engine, DjangoTemplates)]
    for folder in dict.fromkeys(Path(name) for name in chain(*own, get_app_template_dirs("templates"))):
        if not str(folder).startswith(PACKAGE):
            for path in sorted(folder.rglob("*")):
                if path.suffix in SUFFIXES and path.is_file():
                    yield path.relative_to(folder).as_posix(), path.read_text(errors="replace")


def _loads(text: str) -> bool:
    own = [engine.engine.builtins for engine in engines.all() if isinstance(engine, DjangoTemplates)]
    return LIBRARY in chain(*own) or LOADS.search(text) is not None


def block(catalog: Catalog) -> Iterator[Finding]:
    """A block beside a product with a list, and the page of that product."""
    published = Publication.objects.current().select_related("release").first()
    if published is None:
        # Said of the release already.
        return
    lists = OfferList.objects.filter(published.release.shown(), anchor__active=True).order_by("pk")
    anchors = [
        (strategy, anchor)
        for strategy in conf.STRATEGIES
        for anchor in lists.filter(strategy=strategy).values_list("anchor__external_id", flat=True)[:ANCHORS]
    ]
    reasons: Counter[str] = Counter()
    for strategy, anchor in anchors:
        try:
            examination = examine(page_of(anonymous_request(), catalog), strategy, [anchor], conf.LIMIT)
        except Exception as error:
            yield failure("block", f"{strategy} of product {anchor} fails: {message_of(error)}", "Correct the adapter.")
            return
        if examination.eligible:
            yield ok("block", f"{strategy} of product {anchor} has {len(examination.eligible)} offers")
            yield from _page(catalog, anchor)
            return
        reasons.update(rule_message(each.violation) for each in examination.rejected)
    if reasons:
        texts = "; ".join(f"{text} ({count} times)" for text, count in reasons.most_common(NAMED))
        remedy = "The explain page of a product in the admin says why each offer is hidden."
        yield failure("block", f"none of {len(anchors)} lists has an offer that can be shown: {texts}", remedy)
    else:
        yield warning("block", "no product has a list of its own", "Train again once there are more orders.")


def _page(catalog: Catalog, anchor: str) -> Iterator[Finding]:
    product = catalog.in_bulk([anchor], None).get(anchor)
    try:
        address = catalog.url(product) if product is not None else ""
    except Exception:
        # Said of url already.
        return
    if not address:
        # Said of url already.
        return
    if not str(address).startswith("/"):
        yield warning("page", f"the page of product {anchor} is not on this site: {address}", "See it for yourself.")
        return
    with watch_failures() as failures:
        response = _response(str(address))
    # Of those that come from one place, the first.
    yield from {(type(each.error), place_of(each.error)): _noted(each) for each in reversed(failures)}.values()
    if isinstance(response, Exception):
        yield failure("page", f"{address} fails: {message_of(response)}", "Correct the page's view or template.")
    elif response.status_code != 200:
        remedy = "Correct url, if this is not the address of the product's page."
        yield warning("page", f"{address} answers {response.status_code}, so its blocks were not seen", remedy)
    elif BLOCK in getattr(response, "content", b""):
        yield ok("page", f"{address} shows a block")
    elif not failures:
        remedy = "Add {% bought_with product %} to its template; a template of your own needs data-ecomrec-block."
        yield warning("page", f"{address} shows no block", remedy)


def _response(address: str) -> Any:
    """The page as a new visitor gets it, who is not recorded; an exception if it raises one."""
    client = Client(SERVER_NAME=server_name(), headers=PRIVATE)
    try:
        with rolled_back():
            return client.get(address, follow=True, secure=bool(settings.SECURE_SSL_REDIRECT))
    except Exception as error:
        return error
    finally:
        # That it was not recorded is no news.
        omissions.counter.reset()


def _noted(noted: Failure) -> Finding:
    place = place_of(noted.error)
    remedy = f"See {place}." if place else "Correct the adapter."
    return failure("page", f"{noted.consequence} ({noted.area}): {message_of(noted.error)}", remedy)
