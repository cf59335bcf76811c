"""``{% load ecomrec %}``: blocks of offers for product and cart pages."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from django import template
from django.conf import settings
from django.db.models import Model
from django.template import engines
from django.template.loader import select_template
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from ..conf import conf
from ..serving.failures import note_failure
from ..serving.offers import offers
from ..serving.page import page_of

logger = logging.getLogger(__name__)
register = template.Library()


@register.simple_tag(takes_context=True)
def bought_with(context: template.Context, subject: Any, limit: int | None = None, title: str | None = None) -> str:
    """What customers bought with a product, with several, or with the cart."""
    return block(context, "bought_with", subject, limit, title or gettext("Bought together"))


@register.simple_tag(takes_context=True)
def upgrade_to(context: template.Context, subject: Any, limit: int | None = None, title: str | None = None) -> str:
    """Better answers to the need that a product serves."""
    return block(context, "upgrade_to", subject, limit, title or gettext("Worth a look"))


def block(context: template.Context, strategy: str, subject: Any, limit: int | None, title: str) -> SafeString:
    """The rendered block; empty if nothing sound is left or something fails."""
    request = context.get("request")
    if request is None:
        logger.warning('{%% %s %%} needs the request: add the "request" context processor.', strategy)
        return mark_safe("")
    try:
        found = offers(request, strategy, anchors_of(subject, request), limit)
        if not found:
            return mark_safe("")
        page = page_of(request, conf.CATALOG())
        page.blocks += 1
        content = {
            "block": found,
            "title": title,
            "heading_id": f"ecomrec-{strategy}-{page.blocks}",
            "offer_template": template_of(strategy, "offer.html"),
        }
        return template_of(strategy, "block.html").render(content, request)
    except Exception as error:
        note_failure(strategy, error)
        return mark_safe("")


def template_of(strategy: str, name: str) -> Any:
    """The strategy's own template where there is one, or that of all; chosen once a process, unless in DEBUG."""
    if settings.DEBUG:
        return select_template([f"ecomrec/{strategy}/{name}", f"ecomrec/{name}"])
    return _chosen(tuple(engines.all()), strategy, name)


@lru_cache(maxsize=64)
def _chosen(loaded: tuple[Any, ...], strategy: str, name: str) -> Any:
    """``loaded``, the template engines, are made anew where the settings change."""
    return select_template([f"ecomrec/{strategy}/{name}", f"ecomrec/{name}"])


def anchors_of(subject: Any, request: Any) -> list[Any]:
    """A product, an id or several of them as they are; anything else (the shop's cart) is the customer's cart."""
    if subject is None or subject == "":
        return []
    if isinstance(subject, str | int):
        return [subject]
    catalog = conf.CATALOG()
    if isinstance(subject, catalog._model()):
        return [subject]
    if isinstance(subject, list | tuple | set | frozenset) or _is_queryset(subject):
        return list(subject)
    return list(page_of(request, catalog).cart)


def _is_queryset(subject: Any) -> bool:
    return isinstance(subject, Iterable) and issubclass(getattr(subject, "model", type(None)), Model)
