"""What a slot shows, and what an arm of an experiment may change of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _

from ..conf import conf
from ..errors import ConfigurationError, DataError, suggestion
from ..strategies.objectives import Objective

# Offers of one block.
MAX_OFFERS = 20
OPTIONS = ("chain", "minimum", "limit", "objective", "discovery", "band", "layout")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """How a slot is filled.

    chain: strategies in turn, until one has ``minimum`` sound offers; none where nothing is to be shown.
    minimum: fewest offers with which a strategy fills the slot.
    limit: offers at most; None as the tag or ``ECOMREC["LIMIT"]`` says.
    objective: of `Objective`, for the strategies of the chain that know it; "" as ``ECOMREC["OBJECTIVE"]`` says.
    discovery: in place of ``ECOMREC["DISCOVERY"]``, 0…1; None for that.
    band: lowest and highest price of an offer as a share of each anchor's, besides the strategy's own rule.
    layout: name of a template folder below ``ecomrec/layouts/``, "" for none.
    """

    chain: tuple[str, ...] = ()
    minimum: int = 1
    limit: int | None = None
    objective: str = ""
    discovery: float | None = None
    band: tuple[float, float] | None = None
    layout: str = ""

    def changed(self, options: Mapping[str, Any]) -> Variant:
        """With what ``options`` name in place of its own. Raises DataError for what makes no sense."""
        unknown = sorted(set(options) - set(OPTIONS))
        if unknown:
            raise DataError(
                _("Unknown option “%(name)s”. Available options: %(known)s.")
                % {"name": unknown[0], "known": ", ".join(OPTIONS)}
            )
        checked: dict[str, Any] = {name: _CHECKS[name](name, value) for name, value in options.items()}
        variant = replace(self, **checked)
        known = {objective for name in variant.chain for objective in getattr(conf.STRATEGIES[name], "objectives", ())}
        if variant.objective and variant.objective not in known:
            raise DataError(
                _("No strategy of the chain knows the objective “%(name)s”. Available objectives: %(known)s.")
                % {"name": variant.objective, "known": ", ".join(sorted(known)) or "–"}
            )
        return variant


@dataclass(frozen=True, kw_only=True)
class SlotAssignment:
    """How one visitor's slot is filled.

    slot: "" for a block outside of slots.
    arm: Arm.pk as text, "" outside of experiments.
    variant: what the arm or the settings say.
    """

    slot: str = ""
    arm: str = ""
    variant: Variant = Variant()


NO_ASSIGNMENT = SlotAssignment()


def slot_variant(name: str) -> Variant:
    """What the settings say of a slot. Raises ConfigurationError for one that they do not name, or name wrongly."""
    options = conf.SLOTS.get(name)
    if options is None:
        raise ConfigurationError(f'Unknown slot "{name}"; known: {", ".join(sorted(conf.SLOTS))}.')
    if not isinstance(options, dict):
        raise ConfigurationError(f'ECOMREC["SLOTS"]["{name}"] has to be a dict such as {{"chain": ["for_you"]}}.')
    return _variant(name, repr(options), tuple(conf.STRATEGIES))


@lru_cache(maxsize=64)
def _variant(name: str, written: str, strategies: tuple[str, ...]) -> Variant:
    """``written`` and ``strategies`` tell one state of the settings from another."""
    try:
        variant = Variant().changed(conf.SLOTS[name])
        if not variant.chain:
            raise DataError(_("“chain” must name a strategy."))
    except DataError as error:
        raise ConfigurationError(f'ECOMREC["SLOTS"]["{name}"]: {error}') from error
    return variant


def _chain(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise DataError(_('“chain” must be a list of strategies, such as ["bought_with", "for_you"].'))
    for strategy in value:
        if strategy not in conf.STRATEGIES:
            known = ", ".join(sorted(conf.STRATEGIES))
            raise DataError(
                _("Unknown strategy “%(name)s”. Available strategies: %(known)s.") % {"name": strategy, "known": known}
            )
    return tuple(value)


def _count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_OFFERS:
        raise DataError(_("“%(name)s” must be a whole number from 1 to %(most)s.") % {"name": name, "most": MAX_OFFERS})
    return value


def _share(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise DataError(_("“%(name)s” must be a number from 0 to 1.") % {"name": name})
    return float(value)


def _objective(name: str, value: Any) -> str:
    if not isinstance(value, str) or value not in list(Objective):
        problem = _("“objective” must be one of %(known)s.") % {"known": ", ".join(Objective)}
        raise DataError(f"{problem} {suggestion(str(value), Objective)}".strip())
    return value


def _band(name: str, value: Any) -> tuple[float, float]:
    sound = isinstance(value, list | tuple) and len(value) == 2
    if not sound or any(isinstance(bound, bool) or not isinstance(bound, int | float) for bound in value):
        raise DataError(_("“band” must be two numbers, such as [1.05, 1.4]."))
    low, high = map(float, value)
    if not 0 < low <= high < float("inf"):
        raise DataError(_("“band” must be two numbers above 0, the lower one first."))
    return low, high


def _layout(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > 32 or not value.replace("_", "").replace("-", "").isalnum():
        raise DataError(_("“layout” must be the name of a folder: letters, digits, “-” and “_”."))
    return value


_CHECKS = {
    "chain": _chain,
    "minimum": _count,
    "limit": _count,
    "objective": _objective,
    "discovery": _share,
    "band": _band,
    "layout": _layout,
}
