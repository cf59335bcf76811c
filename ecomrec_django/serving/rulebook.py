"""The merchant's rules and running experiments, kept in each process: a page reads them without a query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from time import monotonic
from typing import cast

from django.db.models import Q

from ..errors import EcomrecError
from ..models import Experiment, Rule
from .failures import note_failure
from .stored import LOCAL_SECONDS, cache_version, forget, seconds_kept
from .terms import NOTHING, Block, Facts, Term, Terms, facts_of
from .variants import Variant, slot_variant

VERSION_KEY = "ecomrec:rulebook"
# Items of which a process remembers what the mirror says.
MOST_FACTS = 50_000


@dataclass(frozen=True)
class Trial:
    """A running experiment: its arms by Arm.pk as text, ``holdout_arm`` "" for none. ``shares``: what each gets outside
    of the holdout, by Segment.pk, 0 for all other segments."""

    number: int
    # Share of the visitors who see nothing.
    holdout: float
    holdout_arm: str
    arms: Mapping[str, Variant]
    shares: Mapping[int, Mapping[str, float]]
    # Whether it is a bandit, which learns what to give each segment.
    by_segment: bool = False


@dataclass(frozen=True)
class Rulebook:
    """All active rules, and the running experiment of each slot. ``hidden``: by external id, the rules that hide just
    this one item; they are not among ``rules``."""

    rules: tuple[Term, ...] = ()
    trials: Mapping[str, Trial] | None = None
    hidden: Mapping[str, tuple[Term, ...]] = field(default_factory=dict)
    # What the mirror said of items that were asked about, by external id.
    _known: dict[str, Facts] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, terms: Iterable[Term], trials: Mapping[str, Trial] | None = None) -> Rulebook:
        rules: list[Term] = []
        hidden: defaultdict[str, list[Term]] = defaultdict(list)
        for term in terms:
            (hidden[term.item] if term.hides_an_item else rules).append(term)
        return cls(tuple(rules), trials, {item: tuple(some) for item, some in hidden.items()})

    @property
    def every(self) -> tuple[Term, ...]:
        return (*self.rules, *(term for some in self.hidden.values() for term in some))

    def terms(self, strategy: str, slot: str = "", segment: int = 0, now: datetime | None = None) -> Terms:
        """The rules in force in such a block."""
        if not (self.rules or self.hidden):
            return NO_TERMS
        block = Block(strategy, slot, segment, now or datetime.now(UTC))
        rules = tuple(rule for rule in self.rules if rule.holds(*block))
        return Terms(rules, None, self.hidden, block)

    def facts(self, items: Iterable[str]) -> dict[str, Facts]:
        """What the mirror says of items by external id; a query for those that were not asked about before.

        The answers are kept as long as the rules are, so that pages of the same products share them.
        """
        answers = {item: self._known.get(item) for item in items}
        if missing := [item for item, known in answers.items() if known is None]:
            found = facts_of(missing, attributes=any(rule.attribute for rule in self.rules))
            fresh = {item: found.get(item, NOTHING) for item in missing}
            if len(self._known) + len(fresh) > MOST_FACTS:
                self._known.clear()
            self._known.update(fresh)
            answers |= fresh
        return cast(dict[str, Facts], answers)

    @property
    def asks_segment(self) -> bool:
        return any(rule.segment for rule in self.every)

    def trial(self, slot: str) -> Trial | None:
        return (self.trials or {}).get(slot)


NO_TERMS = Terms()
EMPTY = Rulebook()


class _Kept:
    """The rulebook of this process, the cache's version that it belongs to, and when it was read."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.book: Rulebook | None = None
        self.version = ""
        self.until = 0.0


_kept = _Kept()


def rulebook() -> Rulebook:
    """What holds now. Read anew when a rule or experiment was saved, as soon as the cache tells, or after a while."""
    version = cache_version(VERSION_KEY)
    if _kept.book is not None and version == _kept.version and monotonic() < _kept.until:
        return _kept.book
    with _kept.lock:
        if _kept.book is None or version != _kept.version or monotonic() >= _kept.until:
            keep(_read(), version)
        assert _kept.book is not None
        return _kept.book


def keep(book: Rulebook, version: str | None = None) -> None:
    """Let this process's pages see ``book``, until the next change or the end of its time."""
    _kept.version = cache_version(VERSION_KEY) if version is None else version
    _kept.until = monotonic() + (seconds_kept() or LOCAL_SECONDS)
    _kept.book = book


def forget_rulebook() -> None:
    """Let every page read it anew: a rule or an experiment changed."""
    _kept.book = None
    forget(VERSION_KEY)


def _read() -> Rulebook:
    now = datetime.now(UTC)
    rules = Rule.objects.filter(Q(ends=None) | Q(ends__gt=now), active=True).select_related(
        "item", "category", "beside"
    )
    running = Experiment.objects.filter(status=Experiment.Status.RUNNING).order_by("pk").prefetch_related("arms")
    trials: dict[str, Trial] = {}
    for experiment in running:
        try:
            trials.setdefault(experiment.slot, trial_of(experiment))
        except EcomrecError as error:
            # Its slot is shown as the settings say.
            note_failure("experiment", error, f"Experiment {experiment.pk} is left out")
    rules = rules.defer("item__description", "item__attributes").order_by("pk")
    return Rulebook.of((Term.of(rule) for rule in rules), trials)


def trial_of(experiment: Experiment) -> Trial:
    """Raises DataError or ConfigurationError for arms whose options no longer make sense."""
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
        if experiment.mode == Experiment.Mode.BANDIT or experiment.settled:
            for segment, share in arm.shares.items():
                shares.setdefault(int(segment), {})[name] = float(share)
    # Once settled, its shares are everybody's and stay so.
    by_segment = experiment.mode == Experiment.Mode.BANDIT and not experiment.settled
    return Trial(experiment.pk, experiment.holdout if holdout_arm else 0.0, holdout_arm, arms, shares, by_segment)
