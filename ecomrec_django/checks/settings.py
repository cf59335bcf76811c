"""Checks of the ``ECOMREC`` setting."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from ..catalog.adapter import Catalog
from ..conf import DEFAULTS, conf
from ..errors import ConfigurationError, DataError, suggestion
from ..learning.memory import MemoryLimit
from ..learning.ranking.interests import InterestWeights
from ..merchandising.review import MODES
from ..pipeline.notices import receiver_problem
from ..serving.variants import slot_variant
from ..strategies.base import RANKERS, Strategy
from ..tracking.consent import CONSENT_HEADER
from ..tracking.sinks import Sink
from ..tracking.visitors import HEADER

# As in Event.policy.
LONGEST_POLICY = 16
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@]+")


@register("ecomrec")
def check_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check ``ECOMREC``.

    ecomrec.E001: unknown setting
    ecomrec.E002: invalid catalog
    ecomrec.E003: dotted path that cannot be imported
    ecomrec.E004: sink without its requirements
    ecomrec.E005: invalid setting of personal offers
    ecomrec.E006: invalid amount of memory
    ecomrec.E007: invalid attribution window
    ecomrec.E008: invalid slot
    ecomrec.E009: invalid frequency cap
    ecomrec.E010: unknown review mode
    ecomrec.E011: invalid origin of a front end
    ecomrec.W011: django-cors-headers does not allow the headers of front ends
    ecomrec.E012: invalid strategy
    ecomrec.E013: value of the wrong type
    ecomrec.E014: invalid receiver of notices
    ecomrec.E015: invalid objective
    """
    try:
        given = conf.given
    except ConfigurationError as error:
        return [Error(str(error), id="ecomrec.E013")]
    messages: list[CheckMessage] = [
        Error(
            f'ECOMREC has no setting "{name}".',
            hint=suggestion(str(name), DEFAULTS) or f"Known settings: {', '.join(sorted(DEFAULTS))}.",
            id="ecomrec.E001",
        )
        for name in given
        if name not in DEFAULTS
    ]
    messages += _check_types(given)
    for name in ("CONSENT", "SINK", "STRATEGIES", "AUTHENTICATION"):
        try:
            getattr(conf, name)
        except ConfigurationError as error:
            messages.append(Error(str(error), id="ecomrec.E003"))
        else:
            if name == "SINK":
                messages += _check_sink(conf.SINK)
            if name == "STRATEGIES":
                messages += _check_strategies(conf.STRATEGIES)
    messages += _check_objectives()
    messages += _check_personal()
    messages += _check_slots()
    messages += _check_counts()
    messages += _check_frontends()
    messages += _check_memory()
    messages += _check_receivers()
    if conf.REVIEW not in MODES:
        modes = ", ".join(f'"{mode}"' for mode in MODES)
        messages.append(Error(f'ECOMREC["REVIEW"] must be one of {modes}, not {conf.REVIEW!r}.', id="ecomrec.E010"))
    return [*messages, *_check_catalog()]


def _check_types(given: dict[str, Any]) -> list[CheckMessage]:
    return [
        Error(f'ECOMREC["{name}"] must be {meaning}, not {given[name]!r}.', id="ecomrec.E013")
        for name, (is_valid, meaning) in TYPES.items()
        if name in given and not is_valid(given[name])
    ]


def _is_number(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_rate(value: Any) -> bool:
    return value is None or (isinstance(value, str) and re.fullmatch(r"\d+/[smhd][a-z]*", value) is not None)


# Setting -> whether a value is valid, and what it has to be.
TYPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "ARTIFACTS": (lambda value: isinstance(value, str | Path) and bool(str(value)), "the path of a folder"),
    "TRACK_VIEWS": (
        lambda value: isinstance(value, dict) and all(isinstance(text, str) for pair in value.items() for text in pair),
        'a dict of texts by URL name, such as {"product": "sku"}',
    ),
    "POLICY_VERSION": (
        lambda value: isinstance(value, str) and len(value) <= LONGEST_POLICY,
        f'a text of at most {LONGEST_POLICY} characters, such as "1"',
    ),
    "LIMIT": (lambda value: _is_number(value, 1), "a whole number from 1 up"),
    "MAX_SHARE": (
        lambda value: value is None or (isinstance(value, float | int) and 0 < value <= 1 and value is not True),
        "a share above 0 and at most 1, such as 0.1, or None",
    ),
    "CACHE": (lambda value: value in settings.CACHES, "an alias in CACHES"),
    "CACHE_SECONDS": (lambda value: _is_number(value, 0), "a whole number of seconds, 0 for no caching"),
    "THREADS": (lambda value: _is_number(value, 1), "a whole number from 1 up"),
    "RELEASES_KEPT": (lambda value: _is_number(value, 1), "a whole number from 1 up"),
    "THROTTLE": (_is_rate, 'a rate, such as "120/min", or None'),
    "BEACON_THROTTLE": (_is_rate, 'a rate, such as "600/min", or None'),
}


def _check_memory() -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    for name in ("MEMORY", "DEEP_MEMORY"):
        try:
            MemoryLimit(getattr(conf, name))
        except DataError as error:
            messages.append(Error(f'ECOMREC["{name}"]: {error}', id="ecomrec.E006"))
    return messages


def _check_receivers() -> list[CheckMessage]:
    hint = 'Give a list of e-mail addresses, URLs or dotted paths, such as ["staff@shop.example"].'
    if not isinstance(conf.NOTIFY, list | tuple):
        return [Error(f'ECOMREC["NOTIFY"] must be a list, not {conf.NOTIFY!r}.', hint=hint, id="ecomrec.E014")]
    return [
        Error(f'ECOMREC["NOTIFY"]: {receiver!r} cannot be told: {problem}', hint=hint, id="ecomrec.E014")
        for receiver in conf.NOTIFY
        if (problem := receiver_problem(receiver))
    ]


def _check_catalog() -> list[CheckMessage]:
    try:
        catalog = conf.CATALOG
    except ConfigurationError as error:
        return [Error(str(error), id="ecomrec.E002")]
    if isinstance(catalog, type) and issubclass(catalog, Catalog):
        return []
    members = vars(catalog).items() if inspect.ismodule(catalog) else ()
    adapters = [name for name, value in members if isinstance(value, type) and issubclass(value, Catalog)]
    names = ", ".join(f'"{catalog.__name__}.{name}"' for name in adapters if name != Catalog.__name__)
    hint = f"Did you mean {names}?" if names else "Write a class that inherits from Catalog, and name that class."
    return [
        Error(
            'ECOMREC["CATALOG"] is not a subclass of ecomrec_django.catalog.adapter.Catalog.',
            hint=hint,
            id="ecomrec.E002",
        )
    ]


def _check_strategies(strategies: dict[str, Any]) -> list[CheckMessage]:
    problems = {name: _strategy_problem(str(name), made) for name, made in strategies.items()}
    return [
        Error(f'ECOMREC["STRATEGIES"]["{name}"]: {problem}', id="ecomrec.E012")
        for name, problem in problems.items()
        if problem
    ]


def _strategy_problem(name: str, made: Any) -> str:
    """What makes a strategy unusable; "" if nothing does."""
    if not re.fullmatch(r"[-\w]{1,32}", name, re.ASCII):
        return "a strategy's name must have 1 to 32 letters, digits, “-” and “_”."
    if not (isinstance(made, type) and issubclass(made, Strategy)):
        return "it is not a subclass of ecomrec_django.strategies.base.Strategy."
    if made.__abstractmethods__:
        return f"{made.__name__} must implement {', '.join(sorted(made.__abstractmethods__))}()."
    if made.ranker and made.ranker not in RANKERS:
        known = ", ".join(f'"{ranker}"' for ranker in RANKERS)
        return f'{made.__name__}.ranker must be one of {known}, or "" for none, not "{made.ranker}".'
    return ""


def _check_objectives() -> list[CheckMessage]:
    wanted = conf.OBJECTIVE
    hint = 'Use a dict of objectives by strategy, such as {"bought_with": "revenue"}.'
    if not isinstance(wanted, dict):
        return [Error(f'ECOMREC["OBJECTIVE"] must be a dict, not {wanted!r}.', hint=hint, id="ecomrec.E015")]
    try:
        strategies = conf.STRATEGIES
    except ConfigurationError:
        # Said already.
        return []
    messages: list[CheckMessage] = []
    for name, objective in wanted.items():
        objectives = getattr(strategies.get(name), "objectives", ())
        if name not in strategies:
            problem = "there is no such strategy."
            hint = suggestion(str(name), strategies) or f"Known strategies: {', '.join(sorted(strategies))}."
        elif not objectives:
            problem, hint = "this strategy has a single order.", "Leave it out."
        elif objective not in objectives:
            known = ", ".join(f'"{each}"' for each in objectives)
            problem = f"{objective!r} is no objective of this strategy."
            hint = suggestion(str(objective), objectives) or f"Use one of {known}."
        else:
            continue
        messages.append(Error(f'ECOMREC["OBJECTIVE"]["{name}"]: {problem}', hint=hint, id="ecomrec.E015"))
    return messages


def _check_personal() -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    discovery, weights = conf.DISCOVERY, conf.INTEREST_WEIGHTS
    if isinstance(discovery, bool) or not isinstance(discovery, int | float) or not 0 <= discovery <= 1:
        messages.append(
            Error(f'ECOMREC["DISCOVERY"] must be a number from 0 to 1, not {discovery!r}.', id="ecomrec.E005")
        )
    try:
        InterestWeights(**weights or {})
    except (DataError, TypeError) as error:
        hint = f"Use any of {', '.join(field.name for field in fields(InterestWeights))}, or None to learn them."
        messages.append(Error(f'ECOMREC["INTEREST_WEIGHTS"]: {error}', hint=hint, id="ecomrec.E005"))
    return messages


def _check_slots() -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    if not isinstance(conf.SLOTS, dict):
        return [Error('ECOMREC["SLOTS"] must be a dict of slots by name.', id="ecomrec.E008")]
    # The default slots are not checked: a shop without one of the strategies does not have to redefine them.
    for name in conf.SLOTS if "SLOTS" in conf.given else ():
        try:
            slot_variant(name)
            if not isinstance(name, str) or not 1 <= len(name) <= 32:
                raise ConfigurationError(f"The slot name {name!r} must have 1 to 32 characters.")
        except ConfigurationError as error:
            messages.append(Error(str(error), id="ecomrec.E008"))
    return messages


def _check_counts() -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    if conf.FREQUENCY_CAP is not None and not _are_counts(conf.FREQUENCY_CAP, {"views", "days"}):
        messages.append(
            Error(
                f'ECOMREC["FREQUENCY_CAP"] = {conf.FREQUENCY_CAP!r} is not valid.',
                hint='Use {"views": 5, "days": 7}, with whole numbers from 1 to 365, or None.',
                id="ecomrec.E009",
            )
        )
    if not _are_counts(conf.ATTRIBUTION, {"click_days", "view_days"}):
        messages.append(
            Error(
                f'ECOMREC["ATTRIBUTION"] = {conf.ATTRIBUTION!r} is not valid.',
                hint='Use {"click_days": 7, "view_days": 1}, with whole numbers from 1 to 365.',
                id="ecomrec.E007",
            )
        )
    return messages


def _check_frontends() -> list[CheckMessage]:
    origins = conf.FRONTENDS
    if not isinstance(origins, list | tuple | set):
        origins = [repr(origins)]
    messages: list[CheckMessage] = [
        Error(
            f'ECOMREC["FRONTENDS"] contains {origin!r}, which is not an origin.',
            hint='Give a list of scheme, host and port, such as ["https://shop.example"], without a path.',
            id="ecomrec.E011",
        )
        for origin in origins
        if not isinstance(origin, str) or not _ORIGIN.fullmatch(origin)
    ]
    headers = {HEADER.lower(), CONSENT_HEADER.lower()}
    allowed = {name.lower() for name in getattr(settings, "CORS_ALLOW_HEADERS", ())}
    if origins and apps.is_installed("corsheaders") and not headers <= allowed:
        names = ", ".join(f'"{name}"' for name in sorted(headers))
        messages.append(
            Warning(
                "CORS_ALLOW_HEADERS does not contain the headers in which front ends send consent and visitor token.",
                hint=f"CORS_ALLOW_HEADERS = [*corsheaders.defaults.default_headers, {names}]",
                id="ecomrec.W011",
            )
        )
    return messages


def _are_counts(value: Any, names: set[str]) -> bool:
    """Whether ``value`` has exactly these names, each with a whole number from 1 to 365."""
    return (
        isinstance(value, dict)
        and value.keys() == names
        and all(
            isinstance(count, int) and not isinstance(count, bool) and 1 <= count <= 365 for count in value.values()
        )
    )


def _check_sink(sink: type[Sink]) -> list[CheckMessage]:
    try:
        sink()
    except ConfigurationError as error:
        return [Error(str(error), id="ecomrec.E004")]
    return []
