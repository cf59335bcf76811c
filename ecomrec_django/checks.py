"""System checks: a mistake in the settings is said at start-up, with a remedy."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from django.core.checks import CheckMessage, Error, register

from .catalog.adapter import Catalog
from .conf import DEFAULTS, conf
from .errors import ConfigurationError, DataError
from .learning.interests import Weights
from .learning.memory import Ceiling
from .tracking.sinks import Sink


@register("ecomrec")
def check_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """ecomrec.E001 unknown key · E002 unusable catalog · E003 a dotted path that leads nowhere ·
    E004 a sink that lacks something · E005 a number of personal offers that makes no sense ·
    E006 an amount of memory that is none."""
    found: list[CheckMessage] = [
        Error(
            f'ECOMREC has no setting "{name}".',
            hint=f"Known settings: {', '.join(sorted(DEFAULTS))}.",
            id="ecomrec.E001",
        )
        for name in conf.given
        if name not in DEFAULTS
    ]
    for name in ("CONSENT", "SINK", "STRATEGIES"):
        try:
            getattr(conf, name)
        except ConfigurationError as error:
            found.append(Error(str(error), id="ecomrec.E003"))
        else:
            if name == "SINK":
                found += _check_sink(conf.SINK)
    found += _check_personal()
    try:
        Ceiling(conf.DEEP_MEMORY)
    except DataError as error:
        found.append(Error(f'ECOMREC["DEEP_MEMORY"]: {error}', id="ecomrec.E006"))
    try:
        catalog = conf.CATALOG
    except ConfigurationError as error:
        return [*found, Error(str(error), id="ecomrec.E002")]
    if not (isinstance(catalog, type) and issubclass(catalog, Catalog)):
        found.append(
            Error('ECOMREC["CATALOG"] is not a subclass of ecomrec_django.catalog.adapter.Catalog.', id="ecomrec.E002")
        )
    return found


def _check_personal() -> list[CheckMessage]:
    found: list[CheckMessage] = []
    dial, weights = conf.DISCOVERY, conf.INTEREST_WEIGHTS
    if isinstance(dial, bool) or not isinstance(dial, int | float) or not 0 <= dial <= 1:
        found.append(Error(f'ECOMREC["DISCOVERY"] lies from 0 to 1, and is no {dial!r}.', id="ecomrec.E005"))
    try:
        Weights(**weights or {})
    except (DataError, TypeError) as error:
        hint = f"Give some of {', '.join(field.name for field in fields(Weights))}, or None to learn them."
        found.append(Error(f'ECOMREC["INTEREST_WEIGHTS"]: {error}', hint=hint, id="ecomrec.E005"))
    return found


def _check_sink(made: type[Sink]) -> list[CheckMessage]:
    try:
        made()
    except ConfigurationError as error:
        return [Error(str(error), id="ecomrec.E004")]
    return []
