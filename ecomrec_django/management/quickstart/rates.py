"""Where a shop keeps exchange rates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import models

from .fields import NUMBER, TEXT, column, columns, words


@dataclass(frozen=True)
class RatesGuess:
    """A model with one row for each currency, and its columns with the code and the rate."""

    model: type[models.Model]
    currency: str
    rate: str


def guess_rates(candidates: Iterable[type[models.Model]]) -> RatesGuess | None:
    """The model of exchange rates; None if nothing looks like it."""
    for model in candidates:
        rates = [each.name for each in columns(model) if isinstance(each, NUMBER) and "rate" in words(each.name)]
        codes = [name for name in ("currency", "currency_code", "code") if isinstance(column(model, name), TEXT)]
        if rates and codes and {"rate", "rates", "currency", "exchange"} & set(words(model.__name__)):
            return RatesGuess(model, codes[0], rates[0])
    return None
