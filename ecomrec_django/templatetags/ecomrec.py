"""``{% load ecomrec %}``: blocks of offers for product and cart pages."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from django import template
from django.conf import settings
from django.db.models import Model
from django.http import HttpRequest
from django.template import engines
from django.template.loader import select_template
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, gettext_noop

from ..conf import conf
from ..serving.failures import note_failure
from ..serving.offers import OfferBlock, offers
from ..serving.page import page_of
from ..serving.slots import slot_offers
from ..serving.tokens import seal_item
from ..tracking.cleaning import clean_item

logger = logging.getLogger(__name__)
register = template.Library()


@register.simple_tag(takes_context=True)
def bought_with(context: template.Context, subject: Any, limit: int | None = None, title: str | None = None) -> str:
    """What customers bought with a product, with several, or with the cart."""
    return block(context, "bought_with", subject, limit, title)


@register.simple_tag(takes_context=True)
def upgrade_to(
    context: template.Context, subject: Any, limit: int | None = None, title: str | None = None, layout: str = ""
) -> str:
    """Better answers to the need that a product serves; ``layout`` names the folder of its templates below
    ``ecomrec/layouts/``."""
    return block(context, "upgrade_to", subject, limit, title, layout=layout)


@register.simple_tag(takes_context=True)
def similar(context: template.Context, subject: Any, limit: int | None = None, title: str | None = None) -> str:
    """Other answers to the need that a product serves, where the shop has added the strategy "similar"."""
    return block(context, "similar", subject, limit, title)


@register.simple_tag(takes_context=True)
def for_you(context: template.Context, category: Any = None, limit: int | None = None, title: str | None = None) -> str:
    """What this shopper may want, of a category of the shop or of all of it; bestsellers for who is not known."""
    return block(context, "for_you", (), limit, title, category)


@register.simple_tag(takes_context=True)
def slot(
    context: template.Context,
    name: str,
    subject: Any = (),
    category: Any = None,
    limit: int | None = None,
    title: str | None = None,
) -> str:
    """What fills a place of ``ECOMREC["SLOTS"]``: ``{% slot "product" product %}``, ``{% slot "cart" cart %}``."""
    request = _request(context, "slot")
    if request is None:
        return mark_safe("")
    return rendered(request, slot_offers(request, name, anchors_of(subject), category, limit), title)


@register.simple_tag
def ecomrec_scripts(view: Any = None) -> SafeString:
    """The script that reports what was seen and clicked, and the view of the product ``view`` where one is given."""
    try:
        source, address, token = static("ecomrec/ecomrec.js"), reverse("ecomrec:beacon"), _sealed(view)
        shown = format_html(' data-view="{}"', token) if token else ""
        return format_html('<script src="{}" defer data-url="{}"{}></script>', source, address, shown)
    except Exception as error:
        note_failure("scripts", error, "The page reports nothing")
        return mark_safe("")


@register.simple_tag
def ecomrec_view(product: Any) -> SafeString:
    """The attribute that lets an element report a view when it comes into a page: ``<main {% ecomrec_view p %}>``."""
    try:
        token = _sealed(product)
        return format_html('data-ecomrec-view="{}"', token) if token else mark_safe("")
    except Exception as error:
        note_failure("scripts", error, "The view of a product is not reported")
        return mark_safe("")


def _sealed(product: Any) -> str:
    """The token of a product or its id; "" where there is none."""
    if product is None or product == "":
        return ""
    known = isinstance(product, str | int)
    return seal_item(clean_item(str(product) if known else conf.CATALOG().external_id(product)))


TITLES = {
    "bought_with": gettext_noop("Bought together"),
    "upgrade_to": gettext_noop("Worth a look"),
    "for_you": gettext_noop("For you"),
    "similar": gettext_noop("Similar products"),
    "extras": gettext_noop("Small extras"),
}


def block(
    context: template.Context,
    strategy: str,
    subject: Any,
    limit: int | None,
    title: str | None,
    category: Any = None,
    layout: str = "",
) -> SafeString:
    """The rendered block; empty if nothing sound is left or something fails."""
    request = _request(context, strategy)
    if request is None:
        return mark_safe("")
    try:
        found = offers(request, strategy, anchors_of(subject), limit, category)
    except Exception as error:
        note_failure(strategy, error)
        return mark_safe("")
    # The title given is not that of a block which stands in for another.
    return rendered(request, found, title if found.strategy == strategy else None, layout)


def rendered(request: HttpRequest, found: OfferBlock, title: str | None, layout: str = "") -> SafeString:
    """A block as HTML, in its arm's layout or ``layout``; empty for an empty one, or if something fails."""
    if not found:
        return mark_safe("")
    try:
        page = page_of(request, conf.CATALOG())
        page.blocks += 1
        layout = found.place.variant.layout or layout
        content = {
            "block": found,
            "title": title or gettext(TITLES.get(found.strategy, "For you")),
            "heading_id": f"ecomrec-{found.strategy}-{page.blocks}",
            "offer_template": template_of(found.strategy, "offer.html", layout),
            "bundle_template": template_of(found.strategy, "bundle.html", layout),
        }
        return template_of(found.strategy, "block.html", layout).render(content, request)
    except Exception as error:
        note_failure(found.strategy, error)
        return mark_safe("")


def _request(context: template.Context, tag: str) -> HttpRequest | None:
    request: HttpRequest | None = context.get("request")
    if request is None:
        logger.warning('{%% %s %%} needs the request: add the "request" context processor.', tag)
    return request


def template_of(strategy: str, name: str, layout: str = "") -> Any:
    """The layout's own template where there is one, else the strategy's, or that of all; chosen once a process, unless
    in DEBUG."""
    if settings.DEBUG:
        return select_template(_names(strategy, name, layout))
    return _chosen(tuple(engines.all()), strategy, name, layout)


@lru_cache(maxsize=64)
def _chosen(loaded: tuple[Any, ...], strategy: str, name: str, layout: str) -> Any:
    """``loaded``, the template engines, are made anew where the settings change."""
    return select_template(_names(strategy, name, layout))


def _names(strategy: str, name: str, layout: str) -> list[str]:
    own = [f"ecomrec/layouts/{layout}/{name}"] if layout else []
    return [*own, f"ecomrec/{strategy}/{name}", f"ecomrec/{name}"]


def anchors_of(subject: Any) -> list[Any] | None:
    """A product, an id or several of them as they are; None, which is the customer's cart, for anything else."""
    if subject is None or subject == "":
        return []
    if isinstance(subject, str | int):
        return [subject]
    if isinstance(subject, conf.CATALOG()._model()):
        return [subject]
    if isinstance(subject, list | tuple | set | frozenset) or _is_queryset(subject):
        return list(subject)
    return None


def _is_queryset(subject: Any) -> bool:
    return isinstance(subject, Iterable) and issubclass(getattr(subject, "model", type(None)), Model)
