"""Pages of the shop: the one that shows a product, and the one that puts it into the cart."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from django.db import models
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import select_template
from django.urls import URLPattern, URLResolver, get_resolver

from .fields import columns, words

KEYS = {"pk", "id", "uuid"}
SHOWS = {"detail", "details", "page", "show", "view"}
ACTS = {
    *("add", "cart", "basket", "bag", "edit", "update", "delete", "create", "new", "remove", "review", "reviews"),
    *("image", "images", "wish", "wishlist", "favorite", "favourite", "search", "list", "order", "checkout", "compare"),
}
CART = {"cart", "basket", "bag"}
_RENDERED = re.compile(r"""render\(\s*\w+\s*,\s*["']([^"']+)["']""")
_CONTEXT = re.compile(r"""["'](\w+)["']\s*:\s*\w+""")


@dataclass(frozen=True, kw_only=True)
class ShopPage:
    """One URL of the shop.

    name: with its namespaces
    argument: name of its one argument; "" for none
    attribute: of the product, what the argument holds; "" where that is not known
    view: the class or function behind it
    is_api: whether it answers with data
    """

    name: str
    argument: str
    attribute: str
    view: Any
    is_api: bool


def product_page(model: type[models.Model]) -> ShopPage | None:
    """The page of one product, preferred to an endpoint; None if no URL looks like it."""
    pages = [page for page in pages_of(model) if page.attribute]
    ranked = sorted(((_likeness(page, model), page) for page in pages), key=lambda entry: -entry[0])
    return ranked[0][1] if ranked and ranked[0][0] > 0 else None


def cart_page(model: type[models.Model]) -> ShopPage | None:
    """The URL that puts a product into the cart; None if none looks like it."""
    for page in pages_of(model):
        named = set(words(page.name.replace(":", "_").replace("-", "_")))
        if "add" in named and named & CART and not page.is_api:
            return page
    return None


def pages_of(model: type[models.Model]) -> Iterator[ShopPage]:
    """The named URLs of the project with at most one argument, without those of the admin and of this package."""
    for name, arguments, callback in _patterns(get_resolver(), ""):
        if len(arguments) <= 1:
            view = getattr(callback, "view_class", None) or getattr(callback, "cls", None) or callback
            yield ShopPage(
                name=name,
                argument=next(iter(arguments), ""),
                attribute=_attribute(model, next(iter(arguments), "")),
                view=view,
                is_api=hasattr(callback, "cls") or hasattr(view, "renderer_classes"),
            )


def template_of(page: ShopPage, model: type[models.Model]) -> tuple[str, str]:
    """The file of a page's template and the product's name in it; "" for what cannot be told."""
    app, name = model._meta.app_label, str(model._meta.model_name)
    usual = [f"{app}/{name}_detail.html", f"{app}/{name}.html", f"{name}/detail.html", f"{app}/detail.html"]
    if inspect.isclass(page.view):
        given = getattr(page.view, "template_name", None)
        return _file([given] if given else usual), getattr(page.view, "context_object_name", None) or name
    try:
        code = inspect.getsource(page.view)
    except (OSError, TypeError):
        return _file(usual), ""
    names = _CONTEXT.findall(code)
    context = next((key for key in (name, "product", "object", "item") if key in names), "")
    return _file([*_RENDERED.findall(code)[:1], *usual]), context


def answers_with_template(page: ShopPage) -> bool:
    """Whether the view leaves the product in the context of a template response."""
    return inspect.isclass(page.view) and hasattr(page.view, "get_context_data") and not page.is_api


def _patterns(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, list[str], Any]]:
    for entry in resolver.url_patterns:
        arguments = [*resolver.pattern.regex.groupindex, *entry.pattern.regex.groupindex]
        if isinstance(entry, URLPattern):
            if entry.name:
                yield f"{prefix}{entry.name}", arguments, entry.callback
        elif entry.namespace not in ("admin", "ecomrec"):
            namespace = f"{prefix}{entry.namespace}:" if entry.namespace else prefix
            yield from _patterns(entry, namespace)


def _attribute(model: type[models.Model], argument: str) -> str:
    names = {field.name for field in columns(model)}
    name = str(model._meta.model_name)
    if argument in KEYS or argument in {f"{name}_{key}" for key in KEYS} or argument in {"product_id", "product_pk"}:
        return "pk"
    if argument in names:
        return argument
    return next((word for word in words(argument)[::-1] if word in names), "")


def _likeness(page: ShopPage, model: type[models.Model]) -> int:
    named = set(words(page.name.replace(":", "_").replace("-", "_")))
    named |= set(words(getattr(page.view, "__name__", "")))
    shown = getattr(page.view, "model", None) or getattr(getattr(page.view, "queryset", None), "model", None)
    return (
        4 * (shown is model)
        + 3 * bool(named & {*words(model.__name__), "product"})
        + bool(named & SHOWS)
        - 4 * bool(named & ACTS)
        - page.is_api
    )


def _file(names: list[str]) -> str:
    """The path of the first template that exists; "" for none."""
    try:
        template: Any = select_template(names)
    except (TemplateDoesNotExist, TemplateSyntaxError):
        return ""
    path = FilePath(template.origin.name)
    return str(path.relative_to(FilePath.cwd())) if path.is_relative_to(FilePath.cwd()) else str(path)
