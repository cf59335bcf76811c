"""What is learned of shoppers: rankers that are fitted on baskets which came later, and how well they foretell."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import combinations
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..conf import conf
from ..errors import TrainingError
from ..learning.artifact import Model, Names
from ..learning.bootstrap import intervals
from ..learning.evaluation import Evaluation, Task, per_case
from ..learning.fusion import Cases, Ranker, Sample, Slice, fit, ranked, sample, unknown
from ..learning.interactions import IdMap
from ..learning.interests import Fitted, Weights, fit_weights
from ..learning.knowledge import Knowledge, goods_of, grouped, newest_day, split
from ..learning.signals import OF_PICTURES, OF_SEQUENCES
from ..learning.training_data import TrainingData
from ..strategies.base import Strategy, StrategyLists

if TYPE_CHECKING:
    import pyarrow as pa

    from ..learning.facts import Facts, Goods
    from ..learning.interactions import Interactions
    from ..learning.segments import Labelled
    from .sequences import Networks

logger = logging.getLogger(__name__)

# Part of the purchase lines that a replay knows, and of the later customers that judge it.
PAST = 0.9
JUDGES = 1 / 3
# One in so many of the others chooses between rankers, where there are several.
CHOOSERS = 4
# Cases that a ranker is fitted on, and judged by.
FITTED_CASES = {"bought_with": 6_000, "for_you": 4_000, "upgrade_to": 2_000}
JUDGED_CASES = {"bought_with": 2_000, "for_you": 1_000, "upgrade_to": 1_000}
# The task that is about moves up instead of baskets.
MOVES_UP = "upgrade_to"
K = 10


@dataclass(frozen=True)
class Learned:
    """``evaluation``: None where there were no baskets to judge by · ``said``: what a merchant should know ·
    ``ablation``: by task, what is foretold with and without the signals of deep networks; empty where there are none ·
    ``moves_up``: how well upgrades were foretold; empty where nobody moved up.
    """

    model: Model
    knowledge: Knowledge
    evaluation: Evaluation | None
    interests: Fitted
    said: list[str]
    ablation: dict[str, Any]
    moves_up: dict[str, float]


def learn(
    data: TrainingData,
    items: pa.Table,
    strategies: Mapping[str, Strategy],
    segments: Sequence[Labelled],
    until: float,
    progress: Callable[[int, int], None],
    networks: Networks | None = None,
) -> Learned:
    """From the shared statistics of ``data``; ``items`` sorted by item, ``until`` in seconds since 1970.

    ``segments``: those found before, their aisles numbered as by `aisles` · ``networks``: what foretells the next item.
    """
    goods = goods_of(items)
    said: list[str] = []
    tasks = dict.fromkeys(strategy.task for strategy in strategies.values() if strategy.task)
    deep = _Deep(data, items, networks)
    replay = _Replay(data, items, goods, strategies, progress, deep)
    evaluation, rankers = None, dict[str, Ranker]()
    if replay.possible:
        evaluation, rankers = replay.run([*tasks])
        said += [
            f"Of single shoppers this history foretells nothing for “{name}”: its lists are the same for everybody."
            for name, ranker in rankers.items()
            if not ranker.useful
        ]
    weights = _weights(replay.interests)
    knowledge = Knowledge.of(data.statistics, goods, weights, segments)
    knowledge = replace(knowledge, facts=deep.asked(knowledge.facts, rankers.values()))
    said += replay.said
    progress(10, 10)
    model = Model(
        IdMap(data.statistics.ids),
        Names.of(items["external_id"].to_pylist()),
        items["category"].to_numpy(),
        items["aisle"].to_numpy(),
        knowledge.facts,
        rankers,
        newest_day(knowledge.events),
        until,
        deep.looks,
    )
    return Learned(model, knowledge, evaluation, replay.interests, said, replay.ablation, replay.moves_up)


def aisles(items: pa.Table) -> np.ndarray:
    """Category.pk of each aisle number, below 0 for an item that is its own."""
    return np.unique(grouped(items, "aisle"))


def _weights(fitted: Fitted) -> Weights:
    """The merchant's own, or those fitted."""
    return Weights(**conf.INTEREST_WEIGHTS) if conf.INTEREST_WEIGHTS else fitted.weights


class _Deep:
    """What networks say of pictures and of histories."""

    def __init__(self, data: TrainingData, items: pa.Table, networks: Networks | None) -> None:
        self.looks = np.zeros((items.num_rows, 0), np.float16) if data.looks is None else data.looks.astype(np.float16)
        self.networks = networks
        self._of = (items["item"].to_numpy(), items["category"].to_numpy(), data.looks, data.looks_by)

    def before(self, facts: Facts, moment: float) -> Facts:
        """With all that is known without the events since ``moment``, seconds since 1970."""
        if self.networks is None or self.networks.past is None or self.networks.moment > moment:
            return replace(facts, looks=self.looks)
        return replace(facts, looks=self.looks, network=self.networks.past.renumbered(*self._of))

    def asked(self, facts: Facts, rankers: Iterable[Ranker]) -> Facts:
        """With what the rankers ask for."""
        useful = [ranker for ranker in rankers if ranker.useful]
        looks = self.looks if any(ranker.asks(OF_PICTURES) for ranker in useful) else self.looks[:, :0]
        if self.networks is None or not any(ranker.asks(OF_SEQUENCES) for ranker in useful):
            return replace(facts, looks=looks)
        return replace(facts, looks=looks, network=self.networks.present.renumbered(*self._of))


class _Replay:
    """Trains as it would have at a moment of the past, and looks at what was bought afterwards.

    Rankers are fitted on what some customers bought then, and judged by the others: what is served is what was judged.
    """

    def __init__(
        self,
        data: TrainingData,
        items: pa.Table,
        goods: Goods,
        strategies: Mapping[str, Strategy],
        progress: Callable[[int, int], None],
        deep: _Deep,
    ) -> None:
        self.data, self.items, self.goods, self.deep = data, items, goods, deep
        self.strategies = strategies
        self.progress = progress
        self.events = data.statistics.interactions(data.statistics.purchases())
        self.possible = len(self.events.of_kind("purchase")) > 0
        self.interests = Fitted(Weights(), 0.0, 0)
        self.said: list[str] = []
        self.moves_up: dict[str, float] = {}
        self.ablation: dict[str, Any] = {}

    def run(self, tasks: Sequence[str]) -> tuple[Evaluation, dict[str, Ranker]]:
        """What the judges say, and the rankers by task; a task with too few baskets has none."""
        moment = split(self.events, PAST)
        as_of = replace(self.data, until=datetime.fromtimestamp(moment, UTC), progress=lambda done, total: None)
        known = Knowledge.of(as_of.statistics, self.goods, Weights())
        self.progress(3, 10)
        after = self.events.where(self.events.time >= moment)
        # A guest's basket is a customer of its own.
        customer = np.where(after.visitor >= 0, after.visitor, -1 - np.maximum(after.basket, 0))
        customers = np.unique(customer)
        judges = np.random.default_rng(0).permutation(customers)[: int(np.ceil(len(customers) * JUDGES))]
        judged = np.isin(customer, judges)
        self.interests = fit_weights(known.events, after.where(~judged), self.goods.need)
        facts = self.deep.before(known.facts, moment)
        known = replace(known, facts=replace(facts, weights=_weights(self.interests)))
        rankers, slices = {}, {}
        variants: dict[str, dict[str, _Variant]] = {}
        deep = _groups(known.facts)
        # The judges are not asked what is used: some of the others are.
        others = np.setdiff1d(customers, judges)
        chooses = np.isin(customer, others[::CHOOSERS] if deep else others[:0])
        for done, task in enumerate(tasks, start=1):
            learners, choosers, slices[task] = (
                _slice(known, task, after.where(rows)) for rows in (~judged & ~chooses, chooses, judged)
            )
            fitted = _fitted(sample(learners, 0, FITTED_CASES[task]), deep)
            variants[task] = {
                name: _Variant(ranker, self._ndcg(ranker, choosers, task) if deep else 0.0)
                for name, ranker in fitted.items()
            }
            if variants[task]:
                rankers[task] = max(variants[task].values(), key=attrgetter("chosen_by")).ranker
            self.progress(3 + 4 * done // len(tasks), 10)
        evaluation = self._judge(slices, rankers, variants, as_of, known, moment)
        self.progress(9, 10)
        return evaluation, rankers

    def _judge(
        self,
        slices: Mapping[str, Slice],
        rankers: dict[str, Ranker],
        variants: Mapping[str, Mapping[str, _Variant]],
        as_of: TrainingData,
        known: Knowledge,
        moment: int,
    ) -> Evaluation:
        """Scores of all methods; those of ``rankers`` that foretell no better than the lists lose their skill."""
        lists = {strategy.task: strategy.make(as_of) for strategy in self.strategies.values() if strategy.adds}
        signals: dict[str, list[tuple[str, float]]] = {}
        tasks = []
        for task, slice_ in slices.items():
            drawn = np.random.default_rng(0).permutation(len(slice_.cases))[: JUDGED_CASES[task]]
            cases = slice_.cases.where(np.sort(drawn))
            judge = _Judge(replace(slice_, cases=cases), self.goods, self.data.statistics.ids, self.items)
            # Each guest is a customer of its own.
            customers = np.where(cases.shopper >= 0, cases.shopper, -1 - np.arange(len(cases)))
            if len(variants[task]) > 1:
                self._compare(task, variants[task], judge)
            if task == MOVES_UP:
                self._judge_moves(judge, rankers, customers)
                continue
            offers = {
                task: judge.listed(lists[task]) if task in lists else judge.popular(),
                f"{task}:popularity": judge.popular(),
                f"{task}:own": judge.own(),
            }
            offers[f"{task}:personal"] = offers[task]
            if task in rankers and rankers[task].useful:
                found, added = judge.personal(rankers[task])
                if _better(found, offers[task], cases, customers, len(known.facts.need)):
                    offers[f"{task}:personal"], signals[task] = found, added
                else:
                    # Then known shoppers see the lists, as everybody does.
                    rankers[task] = replace(rankers[task], skill=0.0)
            tasks.append(Task(offers, cases.targets, customers))
        since, until = (datetime.fromtimestamp(at, UTC).isoformat() for at in (moment, int(self.events.time[-1])))
        facts = known.facts
        return Evaluation.of(tasks, facts.baskets, facts.price, since, until, K, signals)

    def _judge_moves(self, judge: _Judge, rankers: dict[str, Ranker], customers: np.ndarray) -> None:
        """A ranker of moves up that foretells them no better than bestsellers loses its skill."""
        ranker, cases = rankers.get(MOVES_UP), judge.slice.cases
        if ranker is None or not ranker.useful:
            return
        items = len(self.goods.need)
        found, bestsellers = judge.personal(ranker)[0], judge.bestsellers()
        if not _better(found, bestsellers, cases, customers, items):
            rankers[MOVES_UP] = replace(ranker, skill=0.0)
        mrr = [float(per_case(lists, cases.targets, np.ones(items), K)["mrr"].mean()) for lists in (found, bestsellers)]
        self.moves_up = {"cases": len(cases), "mrr": round(mrr[0], 4), "mrr of bestsellers": round(mrr[1], 4)}

    def _compare(self, task: str, variants: Mapping[str, _Variant], judge: _Judge) -> None:
        """What each variant foretells to the judges, who had no say in which is used."""
        used = max(variants, key=lambda name: variants[name].chosen_by)
        table = {
            name: {"choosers": round(one.chosen_by, 4), "judges": round(judge.ndcg(one.ranker), 4)}
            for name, one in variants.items()
        }
        self.ablation[task] = {"used": used, **table}
        self.said.append(f"For “{task}” are used: {used}.")

    def _ndcg(self, ranker: Ranker, slice_: Slice, task: str) -> float:
        drawn = np.random.default_rng(0).permutation(len(slice_.cases))[: JUDGED_CASES[task]]
        some = replace(slice_, cases=slice_.cases.where(np.sort(drawn)))
        return _Judge(some, self.goods, self.data.statistics.ids, self.items).ndcg(ranker)


def _slice(known: Knowledge, task: str, after: Interactions) -> Slice:
    purchases = after.of_kind("purchase")
    return known.moves_up(purchases) if task == MOVES_UP else known.slice(purchases, task != "for_you")


def _better(
    found: Sequence[np.ndarray], listed: Sequence[np.ndarray], cases: Cases, customers: np.ndarray, items: int
) -> bool:
    """Whether the offers ``found`` surely have the higher nDCG: the 95 % interval of the difference lies above 0."""
    if not len(cases):
        return False
    ndcg = [per_case(offers, cases.targets, np.ones(items), K)["ndcg"] for offers in (found, listed)]
    (difference,) = intervals((ndcg[0] - ndcg[1])[:, None], customers)
    return difference.low > 0


class _Variant(NamedTuple):
    """A ranker, and its nDCG on baskets of those who choose between the variants."""

    ranker: Ranker
    chosen_by: float


def _groups(facts: Facts) -> dict[str, tuple[str, ...]]:
    """The signals that deep networks give, by what each reads."""
    deep = {"pictures": OF_PICTURES if facts.looks.shape[1] else (), "sequences": OF_SEQUENCES if facts.network else ()}
    return {name: signals for name, signals in deep.items() if signals}


def _fitted(one: Sample, deep: Mapping[str, Sequence[str]]) -> dict[str, Ranker]:
    """A ranker without the signals of ``deep`` networks, and others with those of some; by what each looks at, the
    fewest first."""
    found = {}
    for many in range(len(deep) + 1):
        for kept in combinations(deep, many):
            without = [signal for group in deep if group not in kept for signal in deep[group]]
            try:
                ranker = fit([one], without=without)
            except TrainingError as error:
                logger.info("No ranker: %s", error)
                return {}
            found[" + ".join(["behaviour", *kept])] = ranker
    return found


@dataclass(frozen=True)
class _Judge:
    """Lists of the K best for each case of a slice, by each method."""

    slice: Slice
    goods: Goods
    ids: np.ndarray
    items: pa.Table

    def popular(self) -> list[np.ndarray]:
        facts = self.slice.facts
        return [self._other(facts.popular, anchor)[:K] for anchor in self.slice.cases.anchor]

    def bestsellers(self) -> list[np.ndarray]:
        """Of each case's candidates."""
        facts, lists = self.slice.facts, []
        for anchor in self.slice.cases.anchor.tolist():
            items = self.slice.nominate(facts, unknown(facts), [anchor])
            lists.append(items[np.argsort(-facts.baskets[items], kind="stable")][:K])
        return lists

    def own(self) -> list[np.ndarray]:
        """What the shopper bought most, then bestsellers."""
        lists, nobody = [], unknown(self.slice.facts)
        for place, anchor in zip(self.slice.cases.shopper, self.slice.cases.anchor, strict=True):
            habit = (self.slice.shoppers[place] if place >= 0 else nobody).items
            most = habit.things[np.argsort(-habit.baskets, kind="stable")]
            rest = self.slice.facts.popular[~np.isin(self.slice.facts.popular, most)]
            lists.append(self._other(np.r_[most, rest], anchor)[:K])
        return lists

    def personal(self, ranker: Ranker) -> tuple[list[np.ndarray], list[tuple[str, float]]]:
        """As a page ranks them; and the mean size of what each signal added to the log-odds of what is offered."""
        lists, added, offers = [], np.zeros(len(ranker.names)), 0
        facts, nobody, cases = self.slice.facts, unknown(self.slice.facts), self.slice.cases
        for place, anchor, day in zip(cases.shopper, cases.anchor, cases.day, strict=True):
            shopper = self.slice.shoppers[place] if place >= 0 else nobody
            anchors = [int(anchor)] if anchor >= 0 else []
            items = self.slice.nominate(facts, shopper, anchors)
            found = ranked(ranker, facts, shopper, anchors, float(day), conf.DISCOVERY, items)
            lists.append(found.items[:K])
            if len(lists) % 10 == 0:
                added += np.abs(ranker.contributions(found.signals(K))).sum(axis=0)
                offers += len(found.items[:K])
        mean = added / max(offers, 1)
        order = np.argsort(-mean, kind="stable")
        return lists, [(ranker.names[at], round(float(mean[at]), 4)) for at in order if mean[at] > 0]

    def ndcg(self, ranker: Ranker) -> float:
        """The mean over the cases, 0 without any."""
        if not len(self.slice.cases):
            return 0.0
        lists, _ = self.personal(ranker)
        weights = np.ones(len(self.goods.need))
        return float(per_case(lists, self.slice.cases.targets, weights, K)["ndcg"].mean())

    def listed(self, made: StrategyLists) -> list[np.ndarray]:
        """What a strategy's lists offer to everybody; an anchor without a list takes its category's, as a page does."""
        own = {int(owner): row for row, owner in enumerate(made.by_item.owners)}
        shared = {int(owner): row for row, owner in enumerate(made.by_category.owners)}
        needs = self.items["category"].to_numpy()
        lists = []
        for anchor in self.slice.cases.anchor:
            found, row = made.by_item, own.get(int(self.ids[anchor])) if anchor >= 0 else None
            if anchor < 0:
                found, row = made.for_all, 0 if len(made.for_all.owners) else None
            elif row is None:
                found, row = made.by_category, shared.get(int(needs[anchor]))
            offered = found.items[found.starts[row] : found.starts[row + 1]] if row is not None else self.ids[:0]
            lists.append(np.searchsorted(self.ids, offered)[:K])
        return lists

    def _other(self, items: np.ndarray, anchor: int) -> np.ndarray:
        return items[self.goods.aisle[items] != self.goods.aisle[anchor]] if anchor >= 0 else items
