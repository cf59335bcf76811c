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
from .pipeline.review import MODES
from .serving.variants import slot_variant
from .tracking.sinks import Sink


@register("ecomrec")
def check_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """ecomrec.E001 unknown key · E002 unusable catalog · E003 a dotted path that leads nowhere ·
    E004 a sink that lacks something · E005 a number of personal offers that makes no sense ·
    E006 an amount of memory that is none · E007 a window of attribution that makes no sense ·
    E008 a slot that cannot be filled · E009 a cap that makes no sense · E010 an unknown way to review."""
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
    found += _check_slots()
    found += _check_counts()
    if conf.REVIEW not in MODES:
        modes = ", ".join(f'"{mode}"' for mode in MODES)
        found.append(Error(f'ECOMREC["REVIEW"] is one of {modes}, and no {conf.REVIEW!r}.', id="ecomrec.E010"))
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


def _check_slots() -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if not isinstance(conf.SLOTS, dict):
        return [Error('ECOMREC["SLOTS"] has to be a dict of slots by name.', id="ecomrec.E008")]
    # A shop that leaves out a strategy need not rewrite slots which it does not use.
    for name in conf.SLOTS if "SLOTS" in conf.given else ():
        try:
            slot_variant(name)
            if not isinstance(name, str) or not 1 <= len(name) <= 32:
                raise ConfigurationError(f"The name of the slot {name!r} has to have 1 to 32 characters.")
        except ConfigurationError as error:
            found.append(Error(str(error), id="ecomrec.E008"))
    return found


def _check_counts() -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if conf.FREQUENCY_CAP is not None and not _counts(conf.FREQUENCY_CAP, {"views", "days"}):
        found.append(
            Error(
                f'ECOMREC["FREQUENCY_CAP"] = {conf.FREQUENCY_CAP!r} says nothing.',
                hint='Give {"views": 5, "days": 7}, whole numbers from 1 up, or None.',
                id="ecomrec.E009",
            )
        )
    if not _counts(conf.ATTRIBUTION, {"click_days", "view_days"}):
        found.append(
            Error(
                f'ECOMREC["ATTRIBUTION"] = {conf.ATTRIBUTION!r} says nothing.',
                hint='Give {"click_days": 7, "view_days": 1}, whole numbers from 1 to 365.',
                id="ecomrec.E007",
            )
        )
    return found


def _counts(given: Any, names: set[str]) -> bool:
    """Whether these names, and no others, have whole numbers from 1 to 365."""
    return (
        isinstance(given, dict)
        and given.keys() == names
        and all(isinstance(one, int) and not isinstance(one, bool) and 1 <= one <= 365 for one in given.values())
    )


def _check_sink(made: type[Sink]) -> list[CheckMessage]:
    try:
        made()
    except ConfigurationError as error:
        return [Error(str(error), id="ecomrec.E004")]
    return []
