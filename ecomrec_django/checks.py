"""System checks: a mistake in the settings is said at start-up, with a remedy."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, register

from .catalog.adapter import Catalog
from .conf import DEFAULTS, conf
from .errors import ConfigurationError
from .tracking.sinks import Sink


@register("ecomrec")
def check_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """ecomrec.E001 unknown key · E002 unusable catalog · E003 a dotted path that leads nowhere ·
    E004 a sink that lacks something."""
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
    try:
        catalog = conf.CATALOG
    except ConfigurationError as error:
        return [*found, Error(str(error), id="ecomrec.E002")]
    if not (isinstance(catalog, type) and issubclass(catalog, Catalog)):
        found.append(
            Error('ECOMREC["CATALOG"] is not a subclass of ecomrec_django.catalog.adapter.Catalog.', id="ecomrec.E002")
        )
    return found


def _check_sink(made: type[Sink]) -> list[CheckMessage]:
    try:
        made()
    except ConfigurationError as error:
        return [Error(str(error), id="ecomrec.E004")]
    return []
