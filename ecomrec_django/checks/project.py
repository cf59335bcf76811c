"""Checks of the project around the package: middleware, URLs, templates, caches and consent. They make no query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import get_template
from django.urls import NoReverseMatch, URLResolver, get_resolver, reverse
from django.utils.module_loading import import_string
from rest_framework.settings import api_settings

from ..conf import conf
from ..errors import EcomrecError, suggestion
from ..tracking.middleware import TrackingMiddleware
from ..tracking.page_views import CONTEXT

TRACKING = "ecomrec_django.tracking.middleware.TrackingMiddleware"
# They store responses on the way out, after those middlewares that come later in the list.
CACHING = ("django.middleware.cache.UpdateCacheMiddleware", "django.middleware.cache.CacheMiddleware")
DJANGO_TEMPLATES = "django.template.backends.django.DjangoTemplates"
REQUEST = "django.template.context_processors.request"
TEMPLATES = ("ecomrec/block.html", "ecomrec/offer.html", "ecomrec/bundle.html")
PER_PROCESS = ("django.core.cache.backends.locmem.LocMemCache", "django.core.cache.backends.dummy.DummyCache")


@register("ecomrec")
def check_project(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check what the package needs of the project.

    ecomrec.E030: middleware in the wrong order
    ecomrec.W031: no middleware
    ecomrec.W032: no URLs
    ecomrec.W033: REST framework is not installed as an app
    ecomrec.W034: no request in templates
    ecomrec.W035: a template that is missing
    ecomrec.E036: a template that cannot be compiled
    ecomrec.I037: consent is not connected
    ecomrec.W038: views to track that do not exist
    ecomrec.W042: scheduled tasks without Celery
    """
    messages = [*_middleware(), *_templates(), *_consent(), *_celery()]
    if not apps.is_installed("rest_framework"):
        messages.append(
            Warning(
                "rest_framework is not in INSTALLED_APPS, so translations of its messages are missing.",
                hint='INSTALLED_APPS += ["rest_framework"]',
                id="ecomrec.W033",
            )
        )
    # What is wrong with the URLs themselves is reported by Django.
    if (views := _views()) is not None:
        messages += [*_urls(), *_tracked_views(views)]
    return messages


@register("ecomrec", Tags.caches, deploy=True)
def check_cache(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check, before a deployment, that processes share a cache.

    ecomrec.W039: a cache of each process
    """
    backend = str(settings.CACHES.get(conf.CACHE, {}).get("BACKEND"))
    if backend not in PER_PROCESS:
        return []
    return [
        Warning(
            f'The cache "{conf.CACHE}" ({backend.rpartition(".")[2]}) is not shared by processes.',
            hint="With several processes or machines, use Redis, Memcached or a database cache: otherwise some show an "
            "old offer list for up to five seconds, and each limits the rate of requests on its own.",
            id="ecomrec.W039",
        )
    ]


@register("ecomrec", Tags.security, deploy=True)
def check_addresses(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check, before a deployment behind a proxy, that rate limits tell shoppers apart.

    ecomrec.W044: a proxy whose address all shoppers seem to have
    """
    behind_proxy = settings.SECURE_PROXY_SSL_HEADER is not None or settings.USE_X_FORWARDED_HOST
    if not behind_proxy or api_settings.NUM_PROXIES is not None:
        return []
    return [
        Warning(
            "The settings say that the shop is behind a proxy, and not how many there are: rate limits count all "
            "shoppers as one address.",
            hint='Set REST_FRAMEWORK["NUM_PROXIES"] to the number of proxies that add to X-Forwarded-For; 0 if the '
            "server already replaces REMOTE_ADDR.",
            id="ecomrec.W044",
        )
    ]


def _middleware() -> Iterator[CheckMessage]:
    names = list(settings.MIDDLEWARE)
    place = next((index for index, name in enumerate(names) if _is_tracking(name)), None)
    if place is None:
        yield Warning(
            "TrackingMiddleware is not in MIDDLEWARE, so no page view is recorded, and proxies may store personal "
            "pages.",
            hint=f'MIDDLEWARE += ["{TRACKING}"]',
            id="ecomrec.W031",
        )
    elif late := [name for name in names[place:] if name in CACHING]:
        yield Error(
            f"TrackingMiddleware comes before {late[0]} in MIDDLEWARE, which would cache personal pages for everyone.",
            hint="Put TrackingMiddleware at the end of MIDDLEWARE.",
            id="ecomrec.E030",
        )


def _is_tracking(name: str) -> bool:
    if name == TRACKING:
        return True
    try:
        middleware = import_string(name)
    except ImportError:
        return False
    return isinstance(middleware, type) and issubclass(middleware, TrackingMiddleware)


def _templates() -> Iterator[CheckMessage]:
    engines: list[Any] = [engine for engine in settings.TEMPLATES if engine.get("BACKEND") == DJANGO_TEMPLATES]
    if not engines:
        # A shop without templates uses the JSON API.
        return
    if not any(REQUEST in engine.get("OPTIONS", {}).get("context_processors", ()) for engine in engines):
        yield Warning(
            "Templates have no request in their context, so the template tags render nothing.",
            hint=f'Add "{REQUEST}" to the context_processors in TEMPLATES.',
            id="ecomrec.W034",
        )
    for name in TEMPLATES:
        try:
            get_template(name)
        except TemplateDoesNotExist:
            yield Warning(
                f"The template {name} is not found, so the template tags render nothing.",
                hint='Set "APP_DIRS": True in TEMPLATES, or add django.template.loaders.app_directories.Loader.',
                id="ecomrec.W035",
            )
        except TemplateSyntaxError as error:
            yield Error(
                f"The template {name} cannot be compiled: {error}",
                hint="Correct it; until then no block is shown.",
                id="ecomrec.E036",
            )


def _consent() -> Iterator[CheckMessage]:
    try:
        given = conf.given
    except EcomrecError:
        return
    if "CONSENT" not in given:
        yield Info(
            'ECOMREC["CONSENT"] is not set, so only shoppers are recorded who agreed in a consent banner that calls '
            "ecomrec_django.tracking.consent.agree or posts to api/consent/.",
            hint='Connect your banner, and set "CONSENT" to "ecomrec_django.tracking.consent.opt_in", to opt_out of '
            "the same module, or to a function of your own that takes the request.",
            id="ecomrec.I037",
        )


def _celery() -> Iterator[CheckMessage]:
    schedule = getattr(settings, "CELERY_BEAT_SCHEDULE", None) or {}
    tasks = sorted({str(entry["task"]) for entry in schedule.values() if str(entry["task"]).startswith("ecomrec.")})
    if tasks and find_spec("celery") is None:
        yield Warning(
            f"CELERY_BEAT_SCHEDULE schedules {', '.join(tasks)}, and Celery is not installed.",
            hint='pip install "ecomrec-django[celery]", or schedule the ecomrec_… commands, for example with cron.',
            id="ecomrec.W042",
        )


def _urls() -> Iterator[CheckMessage]:
    try:
        reverse("ecomrec:beacon")
    except NoReverseMatch:
        yield Warning(
            "ecomrec_django.urls is not included, so pages report no impressions and clicks and there is no API.",
            hint='urlpatterns += [path("ecomrec/", include("ecomrec_django.urls"))]',
            id="ecomrec.W032",
        )


def _tracked_views(views: Mapping[str, set[str]]) -> Iterator[CheckMessage]:
    tracked = conf.TRACK_VIEWS if isinstance(conf.TRACK_VIEWS, dict) else {}
    for name, where in tracked.items():
        if name not in views:
            message = f'ECOMREC["TRACK_VIEWS"] names the view "{name}", and no URL has this name.'
            hint = suggestion(str(name), views) or "Give names of URLs, with their namespace, such as “shop:product”."
            yield Warning(message, hint=hint, id="ecomrec.W038")
        elif isinstance(where, str) and not where.startswith(CONTEXT) and where not in views[name]:
            message = f'ECOMREC["TRACK_VIEWS"]["{name}"] is "{where}", and the URL has no such argument.'
            hint = (
                f"Its arguments: {', '.join(sorted(views[name])) or 'none'}. To name a context variable: “{CONTEXT}…”."
            )
            yield Warning(message, hint=hint, id="ecomrec.W038")


def _views() -> dict[str, set[str]] | None:
    """The arguments of each view by its name; None where the URLs cannot be loaded."""
    try:
        views: dict[str, set[str]] = {}
        _collect(get_resolver(), "", set(), views)
    except Exception:
        return None
    return views


def _collect(resolver: URLResolver, namespace: str, arguments: set[str], views: dict[str, set[str]]) -> None:
    for pattern in resolver.url_patterns:
        names = arguments | set(pattern.pattern.regex.groupindex)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            _collect(pattern, inner, names | set(pattern.default_kwargs), views)
        else:
            name = f"{namespace}{pattern.name or pattern.lookup_str}"
            views.setdefault(name, set()).update(names, pattern.default_args)
