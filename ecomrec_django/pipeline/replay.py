"""A training as of a moment of the past: rankers are fitted on, and tested by, what was bought afterwards."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import combinations
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..conf import conf
from ..errors import TrainingError
from ..learning.evaluation.bootstrap import intervals
from ..learning.evaluation.chance import Baskets
from ..learning.evaluation.metrics import Evaluation, Task, per_case
from ..learning.measures import chance_shares
from ..learning.progress import Progress
from ..learning.ranker_training.cases import EvaluationSlice
from ..learning.ranker_training.fitting import TrainingSample, draw_training_sample, fit_ranker
from ..learning.ranker_training.interest_weights import FittedInterests, fit_weights
from ..learning.ranker_training.snapshot import Snapshot
from ..learning.ranking.features import IMAGE_FEATURES, SEQUENCE_FEATURES
from ..learning.ranking.interests import InterestWeights
from ..learning.ranking.ranker import Ranker
from ..learning.statistics.training_data import TrainingData
from ..learning.types import BoolArray, FloatArray, IntArray
from ..strategies.base import Strategy, StrategyLists
from .replay_methods import K, ReplayMethods, own_item_tasks

if TYPE_CHECKING:
    import pyarrow as pa

    from ..learning.interactions import Interactions
    from ..learning.ranking.item_features import ItemFeatures, ItemTable
    from .sequence_networks import SequenceNetworks

logger = logging.getLogger(__name__)

# Share of the later customers that are the test set.
TEST_CUSTOMERS = 1 / 3
# One in so many of the others is in the validation set, which chooses between rankers where there are several.
VALIDATION_CUSTOMERS = 4
# Cases that a ranker is fitted on, and tested by.
FITTED_CASES = {"bought_with": 6_000, "for_you": 4_000, "upgrade_to": 2_000}
TEST_CASES = {"bought_with": 2_000, "for_you": 1_000, "upgrade_to": 1_000}
# What a task is judged by, where that is not nDCG: offers beside a product earn only what would not have been bought
# without them.
OBJECTIVES = {"bought_with": "excess"}
# The task whose cases are trade-ups instead of baskets.
TRADE_UP_TASK = "upgrade_to"


@dataclass(frozen=True, kw_only=True)
class ReplayResult:
    """What a replay found; the defaults where there were no purchases to replay.

    evaluation: how well every method predicts the test set; None without purchases.
    rankers: by task; a task with too few baskets has none.
    interests: the weights of interests that predict best.
    ablation: by task, nDCG with and without the features of networks; empty without networks.
    trade_ups: how well upgrades were predicted; empty where nobody traded up.
    messages: what a merchant should know.
    """

    evaluation: Evaluation | None = None
    rankers: dict[str, Ranker] = field(default_factory=dict)
    interests: FittedInterests = field(default_factory=lambda: FittedInterests(InterestWeights(), 0.0, 0))
    ablation: dict[str, Any] = field(default_factory=dict)
    trade_ups: dict[str, float] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)


def task_title(task: str) -> str:
    """``bought_with`` → Bought with."""
    return task.replace("_", " ").capitalize()


def interest_weights(fitted: FittedInterests) -> InterestWeights:
    """The merchant's own, or those fitted."""
    return InterestWeights(**conf.INTEREST_WEIGHTS) if conf.INTEREST_WEIGHTS else fitted.weights


class NetworkFeatures:
    """What image and sequence networks add to the features of items."""

    def __init__(self, data: TrainingData, items: pa.Table, networks: SequenceNetworks | None) -> None:
        vectors = data.image_vectors
        self.image_vectors = (
            np.zeros((items.num_rows, 0), np.float16) if vectors is None else vectors.astype(np.float16)
        )
        self.networks = networks
        self._catalog = (items["item"].to_numpy(), items["category"].to_numpy(), vectors, data.image_network)

    def as_of(self, item_features: ItemFeatures, moment: float) -> ItemFeatures:
        """``item_features`` with all that is known without the events since ``moment``, seconds since 1970."""
        if self.networks is None or self.networks.past is None or self.networks.moment > moment:
            return replace(item_features, image_vectors=self.image_vectors)
        return replace(
            item_features, image_vectors=self.image_vectors, network=self.networks.past.renumbered(*self._catalog)
        )

    def for_rankers(self, item_features: ItemFeatures, rankers: Iterable[Ranker]) -> ItemFeatures:
        """``item_features`` with what the rankers read."""
        useful = [ranker for ranker in rankers if ranker.useful]
        with_images = any(ranker.uses(IMAGE_FEATURES) for ranker in useful)
        vectors = self.image_vectors if with_images else self.image_vectors[:, :0]
        if self.networks is None or not any(ranker.uses(SEQUENCE_FEATURES) for ranker in useful):
            return replace(item_features, image_vectors=vectors)
        return replace(item_features, image_vectors=vectors, network=self.networks.present.renumbered(*self._catalog))


class _Variant(NamedTuple):
    """A ranker, and its nDCG on the validation set."""

    ranker: Ranker
    validation_ndcg: float


class _Customers(NamedTuple):
    """Masks of the later events, shape (events,) each, by the set that their customers are in."""

    training: BoolArray
    validation: BoolArray
    test: BoolArray


class Replay:
    """Trains as it would have at a moment of the past, and predicts what was bought afterwards.

    Rankers are fitted on what some customers bought then, and tested by the others: what is served is what was tested.
    """

    def __init__(
        self,
        data: TrainingData,
        items: pa.Table,
        table: ItemTable,
        strategies: Mapping[str, Strategy],
        features: NetworkFeatures,
        progress: Progress,
    ) -> None:
        self.data, self.items, self.table, self.features = data, items, table, features
        self.strategies = strategies
        self.progress = progress
        self.events = data.statistics.interactions(data.statistics.purchases())

    def run(self, tasks: Sequence[str]) -> ReplayResult:
        """Rankers of the ``tasks``, and how well they predict."""
        as_of = self.data.past
        if as_of is None or as_of.until is None:
            return ReplayResult()
        moment = int(as_of.until.timestamp())
        snapshot = Snapshot.of(as_of.statistics, self.table, InterestWeights())
        self.progress(3, 10)
        later = self.events.where(self.events.time >= moment)
        customer = _customer(later)
        tested = np.isin(customer, _test_customers(customer))
        interests = fit_weights(snapshot.events, later.where(~tested), self.table.need)
        item_features = self.features.as_of(snapshot.item_features, moment)
        item_features = replace(item_features, interest_weights=interest_weights(interests))
        snapshot = replace(snapshot, item_features=item_features)
        network_features = _network_features(snapshot.item_features)
        customers = _split(customer, tested, validated=bool(network_features))
        variants: dict[str, dict[str, _Variant]] = {}
        test: dict[str, EvaluationSlice] = {}
        for done, task in enumerate(tasks, start=1):
            training, validation, test[task] = (_slice(snapshot, task, later.where(rows)) for rows in customers)
            fitted = _fitted(draw_training_sample(training, 0, FITTED_CASES[task]), network_features)
            variants[task] = {
                name: _Variant(ranker, self._ndcg(ranker, validation, task) if network_features else 0.0)
                for name, ranker in fitted.items()
            }
            self.progress(3 + 4 * done // len(tasks), 10)
        result = self._test(test, variants, as_of, snapshot, moment)
        self.progress(9, 10)
        return replace(result, interests=interests)

    def _test(
        self,
        slices: Mapping[str, EvaluationSlice],
        variants: Mapping[str, Mapping[str, _Variant]],
        as_of: TrainingData,
        snapshot: Snapshot,
        moment: int,
    ) -> ReplayResult:
        """Scores of all methods; a ranker that predicts no better than the lists loses its skill."""
        lists: dict[str, StrategyLists] = {}
        for strategy in self.strategies.values():
            scored = strategy.ranker and strategy.personal_candidates and not strategy.personal_only
            if scored and strategy.ranker not in lists:
                lists[strategy.ranker] = strategy.make(as_of)
        rankers = {task: _best(rankers).ranker for task, rankers in variants.items() if rankers}
        contributions: dict[str, list[tuple[str, float]]] = {}
        ablation: dict[str, Any] = {}
        trade_ups: dict[str, float] = {}
        tasks = []
        share = _later_shares(self.events, moment)
        for task, slice_ in slices.items():
            cases = self._drawn(slice_, task).cases
            methods = self._methods(slice_, task)
            # Each guest is a customer of its own.
            customers = np.where(cases.shopper >= 0, cases.shopper, -1 - np.arange(len(cases)))
            if len(variants[task]) > 1:
                ablation[task] = _ablation(variants[task], methods)
            baskets = methods.baskets(share)
            if task == TRADE_UP_TASK:
                if task in rankers and rankers[task].useful:
                    rankers[task], trade_ups = _test_trade_ups(rankers[task], methods, customers, baskets)
                continue
            popular = methods.popular()
            default = methods.listed(lists[task]) if task in lists else popular
            judged = Task(
                offers={
                    task: default,
                    f"{task}:popularity": popular,
                    f"{task}:own": methods.own(),
                    f"{task}:personal": default,
                },
                targets=cases.targets,
                customers=customers,
                baskets=baskets,
                objective=OBJECTIVES.get(task, "ndcg"),
            )
            if task in rankers and rankers[task].useful:
                personal, contribution = methods.personal(rankers[task])
                if _better(personal, default, judged, "own_excess" if self._by_uplift(task) else "ndcg"):
                    judged = replace(judged, offers={**judged.offers, f"{task}:personal": personal})
                    contributions[task] = contribution
                else:
                    # Then known shoppers see the lists, as everybody does.
                    rankers[task] = replace(rankers[task], skill=0.0)
            tasks.append(judged)
            tasks += own_item_tasks(self.strategies, judged, methods, rankers.get(task), share)
        since, until = (datetime.fromtimestamp(at, UTC).isoformat() for at in (moment, int(self.events.time[-1])))
        item_features = snapshot.item_features
        return ReplayResult(
            evaluation=Evaluation.of(tasks, item_features.baskets, item_features.price, since, until, K, contributions),
            rankers=rankers,
            ablation=ablation,
            trade_ups=trade_ups,
            messages=[_sources_message(task, table["used"]) for task, table in ablation.items()],
        )

    def _ndcg(self, ranker: Ranker, slice_: EvaluationSlice, task: str) -> float:
        return self._methods(slice_, task).ndcg(ranker)

    def _methods(self, slice_: EvaluationSlice, task: str) -> ReplayMethods:
        return ReplayMethods(
            slice=self._drawn(slice_, task),
            table=self.table,
            ids=self.data.statistics.ids,
            items=self.items,
            by_uplift=self._by_uplift(task),
        )

    def _by_uplift(self, task: str) -> bool:
        return any(strategy.by_uplift for strategy in self.strategies.values() if strategy.ranker == task)

    def _drawn(self, slice_: EvaluationSlice, task: str) -> EvaluationSlice:
        """At most TEST_CASES of a slice, drawn at random."""
        drawn = np.random.default_rng(0).permutation(len(slice_.cases))[: TEST_CASES[task]]
        return replace(slice_, cases=slice_.cases.where(np.sort(drawn)))


def _later_shares(events: Interactions, moment: int) -> FloatArray:
    """`chance_shares` of each item in the baskets from ``moment`` on, shape (items,)."""
    purchases = events.of_kind("purchase")
    later = purchases.time >= moment
    size = max(len(events.items), 1)
    basket, item = np.divmod(np.unique(purchases.basket[later] * size + purchases.item[later]), size)
    sizes = np.bincount(basket)
    return chance_shares(np.bincount(item, minlength=len(events.items)), sizes[sizes > 0])


def _customer(later: Interactions) -> IntArray:
    """A number of each event's customer, shape (events,); a guest's basket is a customer of its own."""
    return np.where(later.visitor >= 0, later.visitor, -1 - np.maximum(later.basket, 0))


def _test_customers(customer: IntArray) -> IntArray:
    customers = np.unique(customer)
    return np.random.default_rng(0).permutation(customers)[: int(np.ceil(len(customers) * TEST_CUSTOMERS))]


def _split(customer: IntArray, tested: BoolArray, *, validated: bool) -> _Customers:
    """The test set has no say in which ranker is used: some of the other customers have, where there are several."""
    others = np.unique(customer[~tested])
    validation = np.isin(customer, others[::VALIDATION_CUSTOMERS] if validated else others[:0])
    return _Customers(~tested & ~validation, validation, tested)


def _slice(snapshot: Snapshot, task: str, later: Interactions) -> EvaluationSlice:
    purchases = later.of_kind("purchase")
    if task == TRADE_UP_TASK:
        return snapshot.trade_up_slice(purchases)
    return snapshot.evaluation_slice(purchases, with_anchor=task != "for_you")


def _network_features(item_features: ItemFeatures) -> dict[str, tuple[str, ...]]:
    """The features that networks give, by what each reads."""
    features = {
        "images": IMAGE_FEATURES if item_features.image_vectors.shape[1] else (),
        "sequences": SEQUENCE_FEATURES if item_features.network else (),
    }
    return {source: names for source, names in features.items() if names}


def _fitted(sample: TrainingSample, network_features: Mapping[str, Sequence[str]]) -> dict[str, Ranker]:
    """A ranker without the features of networks, and others with those of some; by their sources, the fewest first."""
    rankers = {}
    for count in range(len(network_features) + 1):
        for sources in combinations(network_features, count):
            without = [name for source, names in network_features.items() if source not in sources for name in names]
            try:
                ranker = fit_ranker([sample], without=without)
            except TrainingError as error:
                logger.info("No ranker: %s", error)
                return {}
            rankers[" + ".join(["behaviour", *sources])] = ranker
    return rankers


def _best(variants: Mapping[str, _Variant]) -> _Variant:
    return max(variants.values(), key=attrgetter("validation_ndcg"))


def _ablation(variants: Mapping[str, _Variant], methods: ReplayMethods) -> dict[str, Any]:
    """The sources of the ranker in use, and what each variant predicts of the validation set and of the test set."""
    table = {
        name: {
            "validation": round(variant.validation_ndcg, 4),
            "test": round(methods.ndcg(variant.ranker), 4),
        }
        for name, variant in variants.items()
    }
    return {"used": max(variants, key=lambda name: variants[name].validation_ndcg), **table}


def _sources_message(task: str, used: str) -> str:
    """Of ``behaviour + images``: “For you” uses behaviour and image features."""
    *others, last = [source.removesuffix("s") for source in used.split(" + ")]
    sources = f"{', '.join(others)} and {last}" if others else last
    return f"“{task_title(task)}” uses {sources} features."


def _test_trade_ups(
    ranker: Ranker, methods: ReplayMethods, customers: IntArray, baskets: Baskets
) -> tuple[Ranker, dict[str, float]]:
    """The ranker, without its skill where it predicts trade-ups no better than bestsellers; and how well both do."""
    ranked, bestsellers, targets = methods.personal(ranker)[0], methods.bestsellers(), methods.slice.cases.targets
    name = f"{TRADE_UP_TASK}:popularity"
    judged = Task(offers={name: bestsellers}, targets=targets, customers=customers, baskets=baskets)
    if not _better(ranked, bestsellers, judged, "ndcg"):
        ranker = replace(ranker, skill=0.0)
    equal = np.ones(len(methods.table.need))
    mrr = [float(per_case(lists, targets, equal, K)["mrr"].mean()) for lists in (ranked, bestsellers)]
    return ranker, {"cases": len(targets), "mrr": round(mrr[0], 4), "bestsellers_mrr": round(mrr[1], 4)}


def _better(offers: Sequence[IntArray], others: Sequence[IntArray], judged: Task, metric: str) -> bool:
    """Whether ``offers`` surely score higher for the cases: the 95 % interval of the difference lies above 0."""
    if not len(judged.targets) or judged.baskets is None:
        return False
    equal = np.ones(len(judged.baskets.share))
    scores = [per_case(lists, judged.targets, equal, K, baskets=judged.baskets)[metric] for lists in (offers, others)]
    (difference,) = intervals((scores[0] - scores[1])[:, None], judged.customers)
    return difference.low > 0
