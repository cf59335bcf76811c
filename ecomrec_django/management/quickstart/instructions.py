"""What is left to paste into a project's settings, URLs and templates, as text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models
from django.template.loader import get_template
from django.urls import NoReverseMatch, reverse

from ...checks.project import check_project
from ...conf import conf
from .pages import ShopPage, answers_with_template, cart_page, product_page, template_of

TRACKING = "ecomrec_django.tracking.middleware.TrackingMiddleware"
COMMANDS = ("migrate", "ecomrec_train --publish", "ecomrec_doctor")
REQUEST = "django.template.context_processors.request"


def instructions(model: type[models.Model], catalog: str) -> list[str]:
    """The steps that remain once the adapter ``catalog`` (a dotted path) is there."""
    missing = {message.id for message in check_project(None)}
    page = product_page(model)
    steps = [
        *_settings(missing, page, model, catalog),
        *_urls(missing),
        *_templates(page, model),
        [
            "Consent",
            "",
            "Offers are learned from orders. What shoppers view and click is recorded only if they consented:",
            "connect a consent banner as “Tracking and consent” in the documentation shows.",
        ],
        ["Train", "", *(f"python manage.py {command}" for command in COMMANDS)],
    ]
    return [line for number, step in enumerate(steps, 1) for line in _step(number, *step)]


def _step(number: int, title: str, *lines: str) -> Iterable[str]:
    return ["", f"{number}. {title}", *(f"   {line}".rstrip() for line in lines)]


def _settings(
    missing: set[str | None], page: ShopPage | None, model: type[models.Model], catalog: str
) -> list[list[str]]:
    lines: list[str] = []
    if "ecomrec.W033" in missing:
        lines += ["In INSTALLED_APPS:", "", '    "rest_framework",', ""]
    if "ecomrec.W031" in missing:
        lines += ["At the end of MIDDLEWARE:", "", f'    "{TRACKING}",', ""]
    if "ecomrec.W034" in missing:
        lines += ["In the context_processors of TEMPLATES:", "", f'    "{REQUEST}",', ""]
    given = conf.given
    views = _tracked_views(page, model)
    if given.get("CATALOG") != catalog or (views and "TRACK_VIEWS" not in given):
        lines += [
            "ECOMREC = {",
            f'    "CATALOG": "{catalog}",',
            *([f'    "TRACK_VIEWS": {views},'] if views else []),
            "}",
        ]
    return [[f"Settings ({settings.SETTINGS_MODULE})", "", *lines]] if lines else []


def _tracked_views(page: ShopPage | None, model: type[models.Model]) -> str:
    """What records the views of products, as source text; "" where the product page has to do it itself."""
    if page is None:
        return ""
    if page.attribute == "pk":
        return f'{{"{page.name}": "{page.argument}"}}'
    if answers_with_template(page):
        return f'{{"{page.name}": "context:{template_of(page, model)[1]}"}}'
    return ""


def _urls(missing: set[str | None]) -> list[list[str]]:
    if "ecomrec.W032" not in missing:
        return []
    return [
        [
            f"URLs ({settings.ROOT_URLCONF})",
            "",
            "from django.urls import include, path",
            "",
            'path("ecomrec/", include("ecomrec_django.urls")),',
        ]
    ]


def _templates(page: ShopPage | None, model: type[models.Model]) -> list[list[str]]:
    if page is None or page.is_api:
        return [
            [
                "Front end",
                "",
                "No page of a product was found. Ask for offers as JSON (see “Headless shops” in the documentation):",
                "",
                *(f"GET {_address(name)}?item=<primary key>" for name in ("bought-with", "upgrade-to")),
            ]
        ]
    file, name = template_of(page, model)
    name = name or "product"
    if file and Path(file).is_file() and "{% load ecomrec" in Path(file).read_text(encoding="utf-8", errors="replace"):
        return _cart_form(model)
    # A view that neither names the key nor answers with a template response leaves it to the browser.
    scripts = "{% ecomrec_scripts %}" if _tracked_views(page, model) else f"{{% ecomrec_scripts view={name} %}}"
    step = [
        f"Template of the product page ({file or f'of the view {page.name}'})",
        "",
        "{% load ecomrec %}",
        "",
        "In the <head>:",
        "",
        "{% ecomrec_styles %}",
        scripts,
        "",
        "Below the product:",
        "",
        f"{{% upgrade_to {name} %}}",
        f"{{% bought_with {name} %}}",
    ]
    return [step, *_cart_form(model)]


def _address(name: str) -> str:
    try:
        return reverse(f"ecomrec:{name}")
    except NoReverseMatch:
        return f"/ecomrec/api/{name}/"


def _cart_form(model: type[models.Model]) -> list[list[str]]:
    page = cart_page(model)
    template: Any = get_template("ecomrec/add_to_cart.html")
    if page is None or "ecomrec_django" not in Path(template.origin.name).parts:
        return []
    argument = f" offer.product.{page.attribute}" if page.attribute else ""
    hidden = [] if argument else ['  <input type="hidden" name="product" value="{{ offer.product.pk }}">']
    return [
        [
            "Add to cart",
            "",
            "Your own ecomrec/add_to_cart.html, in a folder of templates, with the form of your product cards, such as",
            "",
            f'<form action="{{% url "{page.name}"{argument} %}}" method="post">',
            "  {% csrf_token %}",
            *hidden,
            '  <button type="submit" aria-label="Add {{ offer.title }} to cart">Add to cart</button>',
            "</form>",
        ]
    ]
