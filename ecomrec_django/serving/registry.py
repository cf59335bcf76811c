"""The strategies a page may ask for."""

from __future__ import annotations

from functools import cache

from ..conf import conf
from ..errors import ConfigurationError
from ..strategies.base import Strategy


def strategy_named(name: str) -> Strategy:
    """The strategy under ``name`` in ``ECOMREC["STRATEGIES"]``; raises ConfigurationError."""
    made = conf.STRATEGIES.get(name)
    if made is None:
        raise ConfigurationError(f'Unknown strategy "{name}"; known: {", ".join(sorted(conf.STRATEGIES))}.')
    return _one(made)


@cache
def _one(made: type[Strategy]) -> Strategy:
    return made()
