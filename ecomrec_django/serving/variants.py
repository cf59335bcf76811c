"""What a slot shows, and what an arm of an experiment may change of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _

from ..conf import conf
from ..errors import ConfigurationError, DataError

# As `OfferBlock` holds.
MOST_OFFERS = 20
OPTIONS = ("chain", "minimum", "limit", "discovery", "band", "layout")


@dataclass(frozen=True)
class Variant:
    """How a slot is filled.

    chain: strategies in turn, until one has ``minimum`` sound offers · limit: offers at most, None as the tag or
    ``ECOMREC["LIMIT"]`` says · discovery: in place of ``ECOMREC["DISCOVERY"]`` · band: lowest and highest price of an
    offer against each anchor's, beside the strategy's own rule · layout: "" or the name of a template folder below
    ``ecomrec/layouts/``.
    """

    chain: tuple[str, ...]
    minimum: int = 1
    limit: int | None = None
    discovery: float | None = None
    band: tuple[float, float] | None = None
    layout: str = ""

    def changed(self, options: Mapping[str, Any]) -> Variant:
        """With what ``options`` name in place of its own. Raises DataError for what makes no sense."""
        unknown = sorted(set(options) - set(OPTIONS))
        if unknown:
            raise DataError(
                _("There is no option “%(name)s”; there are: %(known)s.")
                % {"name": unknown[0], "known": ", ".join(OPTIONS)}
            )
        read: dict[str, Any] = {name: _READ[name](name, value) for name, value in options.items()}
        return replace(self, **read)


@dataclass(frozen=True)
class Place:
    """Where a block stands: its slot and the number of the arm that fills it, "" outside of either, and how."""

    slot: str = ""
    arm: str = ""
    variant: Variant = Variant(())


NOWHERE = Place()


def slot_variant(name: str) -> Variant:
    """What the settings say of a slot. Raises ConfigurationError for one that they do not name, or name wrongly."""
    made = conf.SLOTS.get(name)
    if made is None:
        raise ConfigurationError(f'Unknown slot "{name}"; known: {", ".join(sorted(conf.SLOTS))}.')
    return _variant(name, repr(made), tuple(conf.STRATEGIES)) if isinstance(made, dict) else _refuse(name)


def _refuse(name: str) -> Variant:
    raise ConfigurationError(f'ECOMREC["SLOTS"]["{name}"] has to be a dict such as {{"chain": ["for_you"]}}.')


@lru_cache(maxsize=64)
def _variant(name: str, written: str, strategies: tuple[str, ...]) -> Variant:
    """``written`` and ``strategies`` tell one state of the settings from another."""
    try:
        found = Variant(()).changed(conf.SLOTS[name])
        if not found.chain:
            raise DataError(_("“chain” has to name a strategy."))
    except DataError as error:
        raise ConfigurationError(f'ECOMREC["SLOTS"]["{name}"]: {error}') from error
    return found


def _chain(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise DataError(_('“chain” has to be a list of strategies, such as ["bought_with", "for_you"].'))
    for one in value:
        if one not in conf.STRATEGIES:
            known = ", ".join(sorted(conf.STRATEGIES))
            raise DataError(_("There is no strategy “%(name)s”; there are: %(known)s.") % {"name": one, "known": known})
    return tuple(value)


def _count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_OFFERS:
        raise DataError(
            _("“%(name)s” has to be a whole number from 1 to %(most)s.") % {"name": name, "most": MOST_OFFERS}
        )
    return value


def _share(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise DataError(_("“%(name)s” has to be a number from 0 to 1.") % {"name": name})
    return float(value)


def _band(name: str, value: Any) -> tuple[float, float]:
    sound = isinstance(value, list | tuple) and len(value) == 2
    if not sound or any(isinstance(one, bool) or not isinstance(one, int | float) for one in value):
        raise DataError(_("“band” has to be two numbers, such as [1.05, 1.4]."))
    low, high = map(float, value)
    if not 0 < low <= high < float("inf"):
        raise DataError(_("“band” has to be two numbers above 0, the lower one first."))
    return low, high


def _layout(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > 32 or not value.replace("_", "").replace("-", "").isalnum():
        raise DataError(_("“layout” has to be the name of a folder: letters, digits, “-” and “_”."))
    return value


_READ = {
    "chain": _chain,
    "minimum": _count,
    "limit": _count,
    "discovery": _share,
    "band": _band,
    "layout": _layout,
}
