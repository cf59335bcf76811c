"""Rules and running experiments, cached in each process so that pages read them without a query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from math import inf
from threading import Lock
from time import monotonic
from typing import Protocol, cast

from django.db.models import Q

from ..catalog.successors import successors_of
from ..errors import EcomrecError
from ..failures import note_failure
from ..models import Experiment, Rule
from .offer_store import LOCAL_SECONDS, cache_seconds, cache_version, invalidate
from .rules import (
    NO_RULES,
    UNKNOWN_ITEM,
    ActiveRules,
    BlockContext,
    CompiledRule,
    ItemAttributes,
    item_attributes,
)
from .variants import Variant, slot_variant

VERSION_KEY = "ecomrec:rulebook"
# Items whose attributes a process caches.
MAX_CACHED_ITEMS = 50_000


class AttributeReader(Protocol):
    """The signature of `rules.item_attributes`."""

    def __call__(self, items: Iterable[str], *, attributes: bool = True) -> Mapping[str, ItemAttributes]:
        """What the mirror says of items by external id; without ``attributes``, theirs are empty."""


@dataclass(frozen=True, kw_only=True)
class RunningExperiment:
    """A running experiment; its arms are named by Arm.pk as text.

    number: Experiment.pk
    holdout: share of visitors who see no offers
    holdout_arm: the arm of the holdout; empty without one
    arms: how each arm fills the slot
    shares: shares of the arms outside the holdout by Segment.pk; key 0 is for all other segments
    by_segment: whether it is a bandit, whose shares depend on the segment
    """

    number: int
    holdout: float
    holdout_arm: str
    arms: Mapping[str, Variant]
    shares: Mapping[int, Mapping[str, float]]
    by_segment: bool = False


@dataclass(frozen=True, kw_only=True)
class Rulebook:
    """All active rules and running experiments.

    rules: all rules except those in ``hidden``
    experiments: the running experiment by slot
    hidden: the rules that hide a single item, by its external id
    dials: the rules that set discovery
    read_attributes: reads attributes of items from the mirror
    """

    rules: tuple[CompiledRule, ...] = ()
    experiments: Mapping[str, RunningExperiment] = field(default_factory=dict)
    hidden: Mapping[str, tuple[CompiledRule, ...]] = field(default_factory=dict)
    dials: tuple[CompiledRule, ...] = ()
    read_attributes: AttributeReader = item_attributes
    # Attributes read so far, by external id.
    _attributes: dict[str, ItemAttributes] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(
        cls,
        rules: Iterable[CompiledRule],
        experiments: Mapping[str, RunningExperiment] | None = None,
        read_attributes: AttributeReader = item_attributes,
    ) -> Rulebook:
        """A rulebook of these rules, with those that hide a single item kept separately."""
        others: list[CompiledRule] = []
        dials: list[CompiledRule] = []
        hidden: defaultdict[str, list[CompiledRule]] = defaultdict(list)
        for rule in rules:
            if rule.action == Rule.Action.DIAL:
                dials.append(rule)
            else:
                (hidden[rule.item] if rule.hides_an_item else others).append(rule)
        return cls(
            rules=tuple(others),
            dials=tuple(dials),
            experiments=experiments or {},
            hidden={item: tuple(hiding) for item, hiding in hidden.items()},
            read_attributes=read_attributes,
        )

    @property
    def all_rules(self) -> tuple[CompiledRule, ...]:
        """``rules``, those that hide one item, and those that set discovery."""
        return (*self.rules, *(rule for hiding in self.hidden.values() for rule in hiding), *self.dials)

    def active_rules(self, strategy: str, slot: str = "", segment: int = 0, now: datetime | None = None) -> ActiveRules:
        """The rules in force in a block."""
        if not (self.rules or self.hidden):
            return NO_RULES
        block = BlockContext(strategy, slot, segment, now or datetime.now(UTC))
        rules = tuple(rule for rule in self.rules if rule.is_in_force(block))
        return ActiveRules(rules=rules, hidden=self.hidden, block=block)

    def discovery(self, strategy: str, slot: str = "", segment: int = 0, now: datetime | None = None) -> float | None:
        """What the latest rule in force in a block sets discovery to; None where none does."""
        if not self.dials:
            return None
        block = BlockContext(strategy, slot, segment, now or datetime.now(UTC))
        return max(
            ((rule.number or inf, rule.discovery) for rule in self.dials if rule.is_in_force(block)),
            default=(0, None),
        )[1]

    def item_attributes(self, items: Iterable[str]) -> dict[str, ItemAttributes]:
        """Attributes of mirrored items by external id, with one query for those not cached yet.

        They are cached as long as the rules, so that pages with the same products share them.
        """
        attributes = {item: self._attributes.get(item) for item in items}
        if missing := [item for item, known in attributes.items() if known is None]:
            rows = self.read_attributes(missing, attributes=any(rule.attribute for rule in self.rules))
            new = {item: rows.get(item, UNKNOWN_ITEM) for item in missing}
            if len(self._attributes) + len(new) > MAX_CACHED_ITEMS:
                self._attributes.clear()
            self._attributes.update(new)
            attributes |= new
        return cast(dict[str, ItemAttributes], attributes)

    @cached_property
    def depends_on_segment(self) -> bool:
        """Whether any rule is limited to a segment."""
        return any(rule.segment for rule in self.all_rules)

    def experiment(self, slot: str) -> RunningExperiment | None:
        """The experiment that runs in a slot, None for none."""
        return self.experiments.get(slot)


class RulebookCache:
    """The rulebook of this process, refreshed when the version in the shared cache changes.

    read: reads a rulebook from the database
    """

    def __init__(self, read: Callable[[], Rulebook]) -> None:
        self.read = read
        self._lock = Lock()
        self._rulebook: Rulebook | None = None
        self._version = ""
        self._until = 0.0

    def current(self) -> Rulebook:
        """The current rulebook; read again after a rule or experiment was saved, or when its time is up."""
        version = cache_version(VERSION_KEY)
        rulebook = self._rulebook
        if rulebook is not None and version == self._version and monotonic() < self._until:
            return rulebook
        with self._lock:
            rulebook = self._rulebook
            if rulebook is None or version != self._version or monotonic() >= self._until:
                rulebook = self.read()
                self.set(rulebook, version)
            return rulebook

    def set(self, rulebook: Rulebook, version: str | None = None) -> None:
        """Use ``rulebook`` in this process until the next change or the end of its time."""
        self._version = cache_version(VERSION_KEY) if version is None else version
        self._until = monotonic() + (cache_seconds() or LOCAL_SECONDS)
        self._rulebook = rulebook

    def invalidate(self) -> None:
        """Make all processes read the rulebook again, after a rule or an experiment has changed."""
        self._rulebook = None
        invalidate(VERSION_KEY)


def read_rulebook() -> Rulebook:
    """All active rules and running experiments, from the database."""
    now = datetime.now(UTC)
    rules = Rule.objects.filter(Q(ends=None) | Q(ends__gt=now), active=True).select_related(
        "item", "category", "anchor_category"
    )
    running = Experiment.objects.filter(status=Experiment.Status.RUNNING).order_by("pk").prefetch_related("arms")
    experiments: dict[str, RunningExperiment] = {}
    for experiment in running:
        try:
            experiments.setdefault(experiment.slot, running_experiment(experiment))
        except EcomrecError as error:
            # Its slot is shown as configured.
            note_failure("experiment", error, f"Experiment {experiment.pk} is ignored")
    # What a limit allows is settled when lists are made.
    rules = rules.exclude(action=Rule.Action.LIMIT).order_by("pk")
    shown = list(rules.defer("item__description", "item__attributes", "matched_items", "matched_anchors"))
    unmatched = [rule.pk for rule in shown if rule.unmatched_since is not None]
    former = {
        pk: (frozenset(items), frozenset(anchors))
        for pk, items, anchors in (
            Rule.objects.filter(pk__in=unmatched).values_list("pk", "matched_items", "matched_anchors")
            if unmatched
            else ()
        )
    }
    compiled = [CompiledRule.of(rule, *former.get(rule.pk, ())) for rule in shown]
    # What is laid down for a product is laid down for those that take its place.
    successors = successors_of(rule.item for rule in compiled if rule.item)
    compiled += [replace(rule, item=item) for rule in compiled for item in successors.get(rule.item, ())]
    return Rulebook.of(compiled, experiments)


def running_experiment(experiment: Experiment) -> RunningExperiment:
    """Compile an experiment; raises DataError or ConfigurationError if the options of its arms have become invalid."""
    base = slot_variant(experiment.slot)
    arms: dict[str, Variant] = {}
    shares: dict[int, dict[str, float]] = {0: {}}
    holdout_arm = ""
    for arm in experiment.arms.all():
        name = str(arm.pk)
        if arm.is_holdout:
            holdout_arm = name
            continue
        arms[name] = base.changed(arm.options)
        shares[0][name] = float(arm.weight)
        if experiment.mode == Experiment.Mode.BANDIT or experiment.conclusion:
            for segment, share in arm.shares.items():
                shares.setdefault(int(segment), {})[name] = float(share)
    # After its conclusion, its shares are the same for all segments and do not change.
    by_segment = experiment.mode == Experiment.Mode.BANDIT and not experiment.conclusion
    return RunningExperiment(
        number=experiment.pk,
        holdout=experiment.holdout if holdout_arm else 0.0,
        holdout_arm=holdout_arm,
        arms=arms,
        shares=shares,
        by_segment=by_segment,
    )


RULEBOOK = RulebookCache(read_rulebook)
current_rulebook = RULEBOOK.current
set_rulebook = RULEBOOK.set
invalidate_rulebook = RULEBOOK.invalidate
