"""How well offers predict what is bought: the scorer of every benchmark and of the gate before a release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from math import isnan, nan
from typing import Any

import numpy as np

from ...errors import DataError
from ..sparse import expand_ranges
from ..types import FloatArray, IntArray, NumberArray
from .bootstrap import Interval, intervals
from .chance import BLOCK, Baskets, chance_hits, staple_items

BASELINE = "popularity"
# Variants that no shopper is shown: the others are compared with them.
COMPARED = (BASELINE, "own")


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Means over all cases, in 0…1, and figures of all lists together.

    hit: share of cases with a target among the offers.
    recall: targets offered, of the most that fit into k.
    ndcg: the same, discounted by 1/log2(place + 1).
    popularity_weighted_recall: recall in which a target weighs 1/√popularity, of the most weight that fits into k.
    coverage: share of all items that were offered at least once.
    mrr: 1/place of the first target, 0 without one.
    revenue: recall in which a target weighs its price; NaN where no price is known.
    revenue_ndcg: the same, discounted; NaN where no price is known.
    novelty: mean over all offers of -log2 of the item's share of sales, in bits; 0 without offers.
    gini: how unevenly the offers fall on all items, 0 evenly … 1 all on one (C. Gini's coefficient, times
        items/(items - 1) so that it reaches 1); 0 without offers.
    staples: share of the places of blocks (the first BLOCK offers) that the bestsellers take; 0 without offers.
    distinct: items that stand in any block.
    hits: targets in a block; NaN where the baskets are not known.
    excess: hits beyond those that popularity and the size of the basket explain, see `chance`; NaN likewise.
    own_excess: hits beyond those that the shopper's own habits explain as well; NaN where these are not known.
    intervals: by name, of the means over cases; empty if they were not asked for.
    """

    hit: float
    recall: float
    ndcg: float
    popularity_weighted_recall: float
    coverage: float
    mrr: float
    revenue: float
    revenue_ndcg: float
    novelty: float
    gini: float
    staples: float
    distinct: float
    hits: float
    excess: float
    own_excess: float
    intervals: Mapping[str, Interval] = field(default_factory=dict)

    def row(self) -> dict[str, float]:
        """The figures by name; those that are not known are left out."""
        row = asdict(self)
        del row["intervals"]
        return {name: value for name, value in row.items() if not isnan(value)}


# What all lists have together, so that no case has it alone.
OVERALL = ("coverage", "novelty", "gini", "staples", "distinct")
PER_CASE = tuple(each.name for each in fields(Scores) if each.name not in (*OVERALL, "intervals"))


def evaluate(
    offers: Sequence[IntArray],
    targets: Sequence[IntArray],
    popularity: NumberArray,
    k: int = 10,
    price: FloatArray | None = None,
    baskets: Baskets | None = None,
) -> Scores:
    """Score ranked ``offers`` against ``targets``, one array of item numbers (0…items - 1) each per case.

    Items are those that can be offered at all. ``popularity``, shape (items,), counts sales; an item never sold weighs
    like one sold once. ``price``, shape (items,): what is no positive number is not known, and weighs the mean of the
    known ones. ``baskets``: those of the cases, for hits and excess. A case without targets says nothing and is a
    ValueError, as is a list that offers an item twice.
    """
    cases = per_case(offers, targets, popularity, k, price, baskets)
    means = {name: float(values.mean()) if len(values) else 0.0 for name, values in cases.items()}
    return _scores(means, offers, popularity, k)


def per_case(
    offers: Sequence[IntArray],
    targets: Sequence[IntArray],
    popularity: NumberArray,
    k: int = 10,
    price: FloatArray | None = None,
    baskets: Baskets | None = None,
) -> dict[str, FloatArray]:
    """The names of PER_CASE → shape (cases,), of `evaluate`'s arguments.

    Without "revenue…" where no price is known, and without "hits" and the excesses where the baskets are not.
    """
    if len(offers) != len(targets):
        raise ValueError(f"{len(offers)} lists of offers for {len(targets)} sets of targets")
    cases, items = len(offers), len(popularity)
    shown = _keys([ranked[:k] for ranked in offers], items)
    if len(np.unique(shown)) < len(shown):
        raise ValueError("a list offers an item twice")
    target_keys = np.unique(_keys(targets, items))
    targets_of = np.bincount(target_keys // items, minlength=cases)
    if cases and not targets_of.all():
        raise ValueError("a case has no targets")
    rank = expand_ranges(0, targets_of)
    fits = rank < k
    hit = np.isin(shown, target_keys)
    place = expand_ranges(0, np.minimum(_sizes(offers), k))[hit]
    case, item = np.divmod(shown[hit], items)
    owner, target = np.divmod(target_keys, items)

    def share(weight: FloatArray, discount: FloatArray) -> FloatArray:
        """What the targets offered weigh, of what the best list of k would."""
        heaviest = np.lexsort((-weight[target], owner))[fits]
        best = np.bincount(owner[heaviest], weight[target[heaviest]] * discount[rank[fits]], cases)
        return np.minimum(np.bincount(case, weight[item] * discount[place], cases) / best, 1.0)

    equal, flat, early = np.ones(items), np.ones(k), 1 / np.log2(np.arange(2, k + 2))
    first = np.zeros(cases)
    np.maximum.at(first, case, 1 / (place + 1))
    scores = {
        "hit": (first > 0).astype(np.float64),
        "recall": share(equal, flat),
        "ndcg": share(equal, early),
        "popularity_weighted_recall": share(1 / np.sqrt(np.maximum(popularity, 1.0)), flat),
        "mrr": first,
    }
    known = np.zeros(items, bool) if price is None else np.isfinite(price) & (price > 0)
    if price is not None and known.any():
        filled = np.where(known, price, price[known].mean())
        scores |= {"revenue": share(filled, flat), "revenue_ndcg": share(filled, early)}
    if baskets is not None:
        hits = np.bincount(case[place < BLOCK], minlength=cases).astype(np.float64)
        scores |= {"hits": hits, "excess": hits - chance_hits(offers, baskets)}
        if baskets.own is not None:
            scores["own_excess"] = hits - chance_hits(offers, baskets, own=True)
    return scores


@dataclass(frozen=True, kw_only=True)
class Task:
    """Cases for which several methods made offers.

    offers: lists by the method's name. What stands before its first ":" is the task's name; "<task>:popularity" is the
        baseline, and must be there.
    targets: item numbers per case.
    customers: number of each case's customer, shape (cases,).
    baskets: those of the cases; None where they are not known.
    objective: name of PER_CASE that the methods are compared by.
    """

    offers: Mapping[str, Sequence[IntArray]]
    targets: Sequence[IntArray]
    customers: IntArray
    baskets: Baskets | None = None
    objective: str = "ndcg"

    def __post_init__(self) -> None:
        names = {task_of(method) for method in self.offers}
        if len(names) != 1 or f"{self.name}:{BASELINE}" not in self.offers:
            raise ValueError(f"methods of one task and its baseline are needed, not {sorted(self.offers)}")
        if len(self.customers) != len(self.targets):
            raise ValueError(f"{len(self.customers)} customers for {len(self.targets)} sets of targets")

    @property
    def name(self) -> str:
        """The strategy that all its methods are compared for."""
        return task_of(next(iter(self.offers), ""))


@dataclass(frozen=True)
class SampleSize:
    """How much a task's figures rest on."""

    cases: int
    customers: int


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How well each method predicted what was bought, and how surely.

    A task is what offers are made for, such as "bought_with" or "for_you". Its methods are named by the task alone or
    "<task>:<variant>"; all of them are scored on the task's own cases.

    since, until: between these the purchases lie (ISO 8601).
    k: offers of a list that are scored.
    tasks: how many cases each task has.
    methods: scores by method.
    gains: by method but the baseline, the mean over cases of its task's objective less that of "<task>:popularity".
    objectives: by task, what its methods are compared by, of PER_CASE.
    signals: by method, what was said about its inputs.

    As JSON, kept in a release's row:

        {"from": "…", "to": "…", "k": 10,
         "tasks": {"bought_with": {"cases": 4000, "customers": 1100}},
         "methods": {"bought_with": {"ndcg": {"mean": …, "low": …, "high": …}, "hit": {…}, "recall": {…}, "mrr": {…},
                                     "popularity_weighted_recall": {…}, "revenue": {…}, "revenue_ndcg": {…},
                                     "hits": {…}, "excess": {…}, "own_excess": {…}, "coverage": …, "novelty": …,
                                     "gini": …, "staples": …, "distinct": …},
                     "bought_with:popularity": {…}},
         "gains": {"bought_with": {"mean": …, "low": …, "high": …}},
         "signals": {},
         "objectives": {"bought_with": "excess"}}

    The two of revenue are left out where no price is known, hits and the excesses where the baskets are not, and
    methods of a task without cases altogether.
    """

    since: str
    until: str
    k: int
    tasks: Mapping[str, SampleSize]
    methods: Mapping[str, Scores]
    gains: Mapping[str, Interval]
    signals: Mapping[str, Any] = field(default_factory=dict)
    objectives: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        tasks: Sequence[Task],
        popularity: NumberArray,
        price: FloatArray | None,
        since: str,
        until: str,
        k: int = 10,
        signals: Mapping[str, Any] | None = None,
    ) -> Evaluation:
        """Score all methods of ``tasks``; ``popularity``, ``price`` and ``k`` as in `evaluate`."""
        sizes: dict[str, SampleSize] = {}
        methods: dict[str, Scores] = {}
        gains: dict[str, Interval] = {}
        for task in tasks:
            sizes[task.name] = SampleSize(len(task.targets), len(np.unique(task.customers)))
            if len(task.targets):
                scored, gained = _method_scores(task, popularity, price, k)
                methods |= scored
                gains |= gained
        return cls(
            since=since,
            until=until,
            k=k,
            tasks=sizes,
            methods=methods,
            gains=gains,
            signals=signals or {},
            objectives={task.name: task.objective for task in tasks},
        )

    def to_json(self) -> dict[str, Any]:
        """JSON-ready values that `of_json` reads."""
        return {
            "from": self.since,
            "to": self.until,
            "k": self.k,
            "tasks": {name: asdict(size) for name, size in self.tasks.items()},
            "methods": {
                name: scores.row() | {metric: asdict(interval) for metric, interval in scores.intervals.items()}
                for name, scores in self.methods.items()
            },
            "gains": {name: asdict(gain) for name, gain in self.gains.items()},
            "signals": dict(self.signals),
            "objectives": dict(self.objectives),
        }

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Evaluation:
        """What `to_json` gave; a DataError where something is missing."""
        try:
            return cls(
                since=stored["from"],
                until=stored["to"],
                k=stored["k"],
                tasks={name: SampleSize(**size) for name, size in stored["tasks"].items()},
                methods={name: _scores_of(row) for name, row in stored["methods"].items()},
                gains={name: Interval(**gain) for name, gain in stored["gains"].items()},
                signals=stored["signals"],
                objectives=stored["objectives"],
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(f"This is no evaluation of a release ({error!r}): train again to get one.") from error


def task_of(method: str) -> str:
    """The strategy that a method of an evaluation is compared for."""
    return method.partition(":")[0]


def baseline_of(method: str) -> str:
    """The bestsellers that a method is compared with."""
    return f"{task_of(method)}:{BASELINE}"


def gini(exposure: NumberArray) -> float:
    """Σ (2·rank - items - 1)·exposure / ((items - 1)·Σ exposure); ``exposure``, shape (items,): how often offered."""
    items, total = len(exposure), exposure.sum()
    if items < 2 or not total:
        return 0.0
    rank = np.arange(1, items + 1)
    return float(((2 * rank - items - 1) * np.sort(exposure)).sum() / ((items - 1) * total))


def _method_scores(
    task: Task, popularity: NumberArray, price: FloatArray | None, k: int
) -> tuple[dict[str, Scores], dict[str, Interval]]:
    """Scores of all methods and gains of all but the baseline, from the same draws of customers."""
    case_scores = {
        name: per_case(offers, task.targets, popularity, k, price, task.baskets) for name, offers in task.offers.items()
    }
    baseline = baseline_of(task.name)
    columns = {(name, metric): values for name, row in case_scores.items() for metric, values in row.items()}
    columns |= {
        (name, "gain"): row[task.objective] - case_scores[baseline][task.objective]
        for name, row in case_scores.items()
        if name != baseline
    }
    estimates = dict(zip(columns, intervals(np.stack(list(columns.values()), axis=1), task.customers), strict=True))
    method_scores = {}
    for name, row in case_scores.items():
        means = {metric: estimates[name, metric] for metric in row}
        method_scores[name] = _scores(
            {metric: interval.mean for metric, interval in means.items()}, task.offers[name], popularity, k, means
        )
    return method_scores, {name: estimates[name, "gain"] for name in case_scores if name != baseline}


def _scores(
    means: Mapping[str, float],
    offers: Sequence[IntArray],
    popularity: NumberArray,
    k: int,
    estimates: Mapping[str, Interval] | None = None,
) -> Scores:
    items = len(popularity)
    shown = _keys([ranked[:k] for ranked in offers], items) % items
    exposure = np.bincount(shown, minlength=items)
    # One sale more of each, so that an item never sold is new and not infinitely so.
    bits = -np.log2((popularity + 1) / (popularity.sum() + items))
    block = _keys([ranked[:BLOCK] for ranked in offers], items) % items
    return Scores(
        **{**dict.fromkeys(PER_CASE, nan), **means},
        coverage=float((exposure > 0).mean()),
        novelty=float(bits[shown].mean()) if len(shown) else 0.0,
        gini=gini(exposure),
        staples=float(np.isin(block, staple_items(popularity)).mean()) if len(block) else 0.0,
        distinct=float(len(np.unique(block))),
        intervals=estimates or {},
    )


def _scores_of(row: Mapping[str, Any]) -> Scores:
    """The scores of one method's JSON."""
    estimates = {name: Interval(**row[name]) for name in PER_CASE if name in row}
    means = dict.fromkeys(PER_CASE, nan) | {name: interval.mean for name, interval in estimates.items()}
    return Scores(**means, **{name: row[name] for name in OVERALL}, intervals=estimates)


def _keys(lists: Sequence[IntArray], items: int) -> IntArray:
    """One number per entry that names its list and its item: list·items + item."""
    entry = np.concatenate([np.empty(0, np.int64), *(np.asarray(numbers, np.int64) for numbers in lists)])
    if len(entry) and (entry.min() < 0 or entry.max() >= items):
        raise ValueError(f"item numbers lie outside of 0…{items - 1}")
    return np.repeat(np.arange(len(lists)), _sizes(lists)) * items + entry


def _sizes(lists: Sequence[IntArray]) -> IntArray:
    return np.array([len(numbers) for numbers in lists], np.int64)
