"""The strategies a page may ask for."""

from __future__ import annotations

from functools import lru_cache

from django.utils.module_loading import import_string

from ..conf import conf
from ..errors import ConfigurationError
from ..strategies.base import Strategy


def strategy_named(name: str) -> Strategy:
    """The strategy under ``name`` in ``ECOMREC["STRATEGIES"]``; raises ConfigurationError."""
    path = conf.STRATEGIES.get(name)
    if path is None:
        raise ConfigurationError(f'Unknown strategy "{name}"; known: {", ".join(sorted(conf.STRATEGIES))}.')
    return _load(path)


@lru_cache
def _load(path: str) -> Strategy:
    try:
        return import_string(path)()
    except ImportError as error:
        raise ConfigurationError(f'ECOMREC["STRATEGIES"] names {path!r}, which cannot be imported: {error}') from error
