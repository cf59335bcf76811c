"""``{% load ecomrec %}``: blocks of offers for product and cart pages."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from django import template
from django.conf import settings
from django.db.models import Model
from django.http import HttpRequest
from django.template import engines
from django.template.loader import select_template
from django.templatetags.cache import CacheNode
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from ..conf import conf
from ..db import savepoints
from ..failures import note_failure
from ..serving.offers import OfferBlock, offers
from ..serving.page import page_of
from ..serving.registry import strategy_named, title_of
from ..serving.slots import slot_offers
from ..serving.tokens import seal_exposure, seal_item
from ..tracking.page_views import is_fetched_ahead, product_of_page
from ..tracking.validation import clean_item

logger = logging.getLogger(__name__)
register = template.Library()


class Heading(NamedTuple):
    """The heading of a block. title: None for that of its strategy · level: 2 for ``<h2>``."""

    title: str | None
    level: int


@register.simple_tag(takes_context=True)
def bought_with(
    context: template.Context, subject: Any, limit: int | None = None, title: str | None = None, heading: int = 2
) -> str:
    """What customers bought with a product, with several, or with the cart; ``heading`` is the level of its title."""
    return block(context, "bought_with", subject, limit, Heading(title, heading))


@register.simple_tag(takes_context=True)
def upgrade_to(
    context: template.Context,
    subject: Any,
    limit: int | None = None,
    title: str | None = None,
    layout: str = "",
    heading: int = 2,
) -> str:
    """Better answers to the need that a product serves; ``layout`` names the folder of its templates below
    ``ecomrec/layouts/``."""
    return block(context, "upgrade_to", subject, limit, Heading(title, heading), layout=layout)


@register.simple_tag(takes_context=True)
def similar(
    context: template.Context, subject: Any, limit: int | None = None, title: str | None = None, heading: int = 2
) -> str:
    """Other answers to the need that a product serves, where the shop has added the strategy "similar"."""
    return block(context, "similar", subject, limit, Heading(title, heading))


@register.simple_tag(takes_context=True)
def for_you(
    context: template.Context,
    category: Any = None,
    limit: int | None = None,
    title: str | None = None,
    heading: int = 2,
) -> str:
    """What this shopper may want, of a category of the shop or of all of it; bestsellers for who is not known."""
    return block(context, "for_you", (), limit, Heading(title, heading), category)


@register.simple_tag(takes_context=True)
def buy_again(context: template.Context, limit: int | None = None, title: str | None = None, heading: int = 2) -> str:
    """What this shopper is due to buy again; nothing for who is not known."""
    return block(context, "buy_again", (), limit, Heading(title, heading))


@register.simple_tag(takes_context=True)
def slot(
    context: template.Context,
    name: str,
    subject: Any = (),
    category: Any = None,
    limit: int | None = None,
    title: str | None = None,
    heading: int = 2,
) -> str:
    """What fills a place of ``ECOMREC["SLOTS"]``: ``{% slot "product" product %}``, ``{% slot "cart" cart %}``."""
    request = _request(context, "slot")
    if request is None:
        return mark_safe("")
    try:
        anchors = anchors_of(subject)
    except Exception as error:
        note_failure(f"slot {name}", error)
        return mark_safe("")
    shopper = _shopper_request(request)
    offer_block = slot_offers(shopper, name, anchors, category, limit)
    return rendered(request, offer_block, Heading(title, heading)) + _unseen(shopper, name)


def _unseen(request: HttpRequest | None, slot: str) -> SafeString:
    """What reports the exposure to the experiment of a slot, filled or not, on a page that was fetched ahead."""
    if request is None or not is_fetched_ahead(request):
        return mark_safe("")
    try:
        page = page_of(request, conf.CATALOG())
        exposure = page.unseen.pop(slot, None)
        if exposure is None:
            return mark_safe("")
        return format_html('<span hidden data-ecomrec-view="{}"></span>', seal_exposure(exposure, page.visitor))
    except Exception as error:
        note_failure("scripts", error, "The exposure to an experiment is not reported")
        return mark_safe("")


@register.simple_tag
def ecomrec_styles() -> SafeString:
    """The style sheet of the shipped templates, which takes fonts and colours from the page."""
    try:
        return format_html('<link rel="stylesheet" href="{}">', static("ecomrec/ecomrec.css"))
    except Exception as error:
        note_failure("styles", error, "Blocks have no style")
        return mark_safe("")


@register.simple_tag(takes_context=True)
def ecomrec_scripts(context: template.Context, view: Any = None) -> SafeString:
    """The script that reports what was seen and clicked, and the view of the product ``view`` where one is given.

    A page of ``ECOMREC["TRACK_VIEWS"]`` names its product by itself. The script reports it where the shop does not see
    the view: if the page was fetched ahead, or comes out of the browser's own store.
    """
    try:
        source, address, token = static("ecomrec/ecomrec.js"), reverse("ecomrec:beacon"), _sealed(view)
        recorded = ""
        request = context.get("request")
        if not token and request is not None:
            token = _sealed(product_of_page(request, {str(name): value for name, value in context.flatten().items()}))
            recorded = "" if not token or is_fetched_ahead(request) else " data-recorded"
        shown = format_html(' data-view="{}"{}', token, recorded) if token else ""
        return format_html('<script src="{}" defer data-url="{}"{}></script>', source, address, shown)
    except Exception as error:
        note_failure("scripts", error, "The page reports no events")
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
    return seal_item(clean_item(conf.CATALOG().id_of(product)))


def block(
    context: template.Context,
    strategy: str,
    subject: Any,
    limit: int | None,
    heading: Heading,
    category: Any = None,
    layout: str = "",
) -> SafeString:
    """The rendered block; empty if nothing sound is left or something fails."""
    request = _request(context, strategy)
    if request is None:
        return mark_safe("")
    try:
        offer_block = offers(_shopper_request(request), strategy, anchors_of(subject), limit, category)
    except Exception as error:
        note_failure(strategy, error)
        return mark_safe("")
    if offer_block.strategy != strategy:
        # The title given is not that of a block which stands in for another.
        heading = heading._replace(title=None)
    return rendered(request, offer_block, heading, layout)


def rendered(request: HttpRequest, block: OfferBlock, heading: Heading, layout: str = "") -> SafeString:
    """A block as HTML, in its arm's layout or ``layout``; empty for an empty one, or if something fails."""
    if not block:
        return mark_safe("")
    try:
        page = page_of(request, conf.CATALOG())
        page.blocks += 1
        layout = block.assignment.variant.layout or layout
        content = {
            "block": block,
            "title": heading.title or gettext(title_of(block.strategy)),
            "heading": heading.level,
            "same_need": strategy_named(block.strategy).same_need,
            "heading_id": f"ecomrec-{block.strategy}-{page.blocks}",
            "offer_template": template_of(block.strategy, "offer.html", layout),
            "bundle_template": template_of(block.strategy, "bundle.html", layout),
        }
        with savepoints():
            html: SafeString = template_of(block.strategy, "block.html", layout).render(content, request)
        return html
    except Exception as error:
        note_failure(block.strategy, error)
        return mark_safe("")


def _request(context: template.Context, tag: str) -> HttpRequest | None:
    request: HttpRequest | None = context.get("request")
    if request is None:
        logger.warning('{%% %s %%} needs the request: add the "request" context processor.', tag)
    return request


def _shopper_request(request: HttpRequest) -> HttpRequest | None:
    """The request that offers may depend on: none inside ``{% cache %}``, whose content everyone is shown."""
    return None if _is_in_cache_tag() else request


def _is_in_cache_tag() -> bool:
    # Only the call stack knows of a {% cache %} around an {% include %} or in the parent of an {% extends %}.
    frame = sys._getframe().f_back
    while frame:
        if frame.f_code is CacheNode.render.__code__:
            return True
        frame = frame.f_back
    return False


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
    if isinstance(subject, conf.CATALOG().product_model()):
        return [subject]
    if isinstance(subject, list | tuple | set | frozenset) or _is_queryset(subject):
        return list(subject)
    return None


def _is_queryset(subject: Any) -> bool:
    return isinstance(subject, Iterable) and issubclass(getattr(subject, "model", type(None)), Model)
