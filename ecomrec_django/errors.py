"""The package's own errors: each says what was wrong and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class EcomrecError(Exception):
    """Base of every error raised on purpose by ecomrec_django."""


class ConfigurationError(EcomrecError):
    """The ``ECOMREC`` setting, or the catalog adapter it names, cannot be used as it is."""


class DataError(EcomrecError):
    """Data that was read (events, orders, items) does not have the promised form."""


class TrainingError(EcomrecError):
    """A training run could not produce a release; the published release is untouched."""


class MemoryLimitError(EcomrecError):
    """A process took more memory than it may."""


def suggestion(name: str, names: Iterable[str], *, cutoff: float = 0.6) -> str:
    """“Did you mean …?” with the most similar of ``names``; "" where none is similar, by ``cutoff`` from 0 to 1."""
    matches = get_close_matches(name, list(names), n=1, cutoff=cutoff)
    return f'Did you mean "{matches[0]}"?' if matches else ""
