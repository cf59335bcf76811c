"""The configured strategies by name."""

from __future__ import annotations

from functools import cache

from django.utils.module_loading import import_string

from ..conf import DEFAULTS, conf
from ..errors import ConfigurationError
from ..strategies.base import Strategy


def strategy_named(name: str) -> Strategy:
    """The strategy under ``name`` in ``ECOMREC["STRATEGIES"]``; raises ConfigurationError."""
    strategy_class = conf.STRATEGIES.get(name)
    if strategy_class is None:
        raise ConfigurationError(f'Unknown strategy "{name}"; known: {", ".join(sorted(conf.STRATEGIES))}.')
    return _instance(strategy_class)


def title_of(name: str) -> str:
    """The heading of the strategy's blocks, untranslated; by default that of the shipped strategy with the same name,
    or of "for you"."""
    shipped = DEFAULTS["STRATEGIES"]
    return strategy_named(name).title or _shipped_title(shipped.get(name, shipped["for_you"]))


@cache
def _shipped_title(path: str) -> str:
    return import_string(path).title


@cache
def _instance(strategy_class: type[Strategy]) -> Strategy:
    return strategy_class()
