"""How well offers foretell what is bought: the scorer of every benchmark and of the gate before a release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from math import isnan, nan
from typing import Any

import numpy as np

from ..errors import DataError
from .bootstrap import Interval, intervals

BASELINE = "popularity"
# Variants that no shopper is shown: they tell what the others are worth.
COMPARED = (BASELINE, "own")


@dataclass(frozen=True)
class Scores:
    """Means over all cases, in 0…1, and figures of all lists together.

    hit: share of cases with a target among the offers · recall: targets offered, of the most that fit into k ·
    ndcg: the same, discounted by 1/log2(place + 1) · popw: recall in which a target weighs 1/√popularity, of the most
    weight that fits into k · mrr: 1/place of the first target, 0 without one · revenue: recall in which a target weighs
    its price · revenue_ndcg: the same, discounted; both are NaN where no price is known.

    coverage: share of all items that were offered at least once · novelty: mean over all offers of -log2 of the item's
    share of sales, in bits · gini: how unevenly the offers fall on all items, 0 evenly … 1 all on one (C. Gini's
    coefficient, times items/(items - 1) so that it reaches 1). Without offers the latter two are 0.

    ``intervals``: by name, of the means over cases; empty if they were not asked for.
    """

    hit: float
    recall: float
    ndcg: float
    popw: float
    coverage: float
    mrr: float
    revenue: float
    revenue_ndcg: float
    novelty: float
    gini: float
    intervals: Mapping[str, Interval] = field(default_factory=dict)

    def row(self) -> dict[str, float]:
        """The figures by name; those that are not known are left out."""
        row = asdict(self)
        del row["intervals"]
        return {name: value for name, value in row.items() if not isnan(value)}


# What all lists have together, so that no case has it alone.
OVERALL = ("coverage", "novelty", "gini")
PER_CASE = tuple(each.name for each in fields(Scores) if each.name not in (*OVERALL, "intervals"))


def evaluate(
    offers: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    popularity: np.ndarray,
    k: int = 10,
    price: np.ndarray | None = None,
) -> Scores:
    """Score ranked ``offers`` against ``targets``, one array of item numbers (0…items - 1) each per case.

    Items are those that can be offered at all. ``popularity``, shape (items,), counts sales; an item never sold weighs
    like one sold once. ``price``, shape (items,): what is no positive number is not known, and weighs the mean of the
    known ones. A case without targets says nothing and is a ValueError, as is a list that offers an item twice.
    """
    found = per_case(offers, targets, popularity, k, price)
    return _scores(
        {name: float(values.mean()) if len(values) else 0.0 for name, values in found.items()}, offers, popularity, k
    )


def per_case(
    offers: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    popularity: np.ndarray,
    k: int = 10,
    price: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """The names of PER_CASE → shape (cases,), of `evaluate`'s arguments; without "revenue…" where no price is known."""
    if len(offers) != len(targets):
        raise ValueError(f"{len(offers)} lists of offers for {len(targets)} sets of targets")
    cases, items = len(offers), len(popularity)
    shown = _keys([ranked[:k] for ranked in offers], items)
    if len(np.unique(shown)) < len(shown):
        raise ValueError("a list offers an item twice")
    wanted = np.unique(_keys(targets, items))
    targets_of = np.bincount(wanted // items, minlength=cases)
    if cases and not targets_of.all():
        raise ValueError("a case has no targets")
    fits = _places(targets_of) < k
    hit = np.isin(shown, wanted)
    place = _places(np.minimum(_sizes(offers), k))[hit]
    case, item = np.divmod(shown[hit], items)
    owner, target = np.divmod(wanted, items)

    def share(weight: np.ndarray, discount: np.ndarray) -> np.ndarray:
        """What the targets offered weigh, of what the best list of k would."""
        heaviest = np.lexsort((-weight[target], owner))[fits]
        best = np.bincount(owner[heaviest], weight[target[heaviest]] * discount[_places(targets_of)[fits]], cases)
        return np.minimum(np.bincount(case, weight[item] * discount[place], cases) / best, 1.0)

    alike, flat, early = np.ones(items), np.ones(k), 1 / np.log2(np.arange(2, k + 2))
    first = np.zeros(cases)
    np.maximum.at(first, case, 1 / (place + 1))
    scores = {
        "hit": (first > 0).astype(np.float64),
        "recall": share(alike, flat),
        "ndcg": share(alike, early),
        "popw": share(1 / np.sqrt(np.maximum(popularity, 1.0)), flat),
        "mrr": first,
    }
    known = np.zeros(items, bool) if price is None else np.isfinite(price) & (price > 0)
    if price is not None and known.any():
        worth = np.where(known, price, price[known].mean())
        scores |= {"revenue": share(worth, flat), "revenue_ndcg": share(worth, early)}
    return scores


@dataclass(frozen=True)
class Task:
    """Cases that several methods were asked for: lists of offers by the method's name, targets and customers per case.

    The name of a method before its first ":" is the task's; "<task>:popularity" is the baseline, and must be there.
    Cases of the same number in ``customers``, shape (cases,), count as one customer's.
    """

    offers: Mapping[str, Sequence[np.ndarray]]
    targets: Sequence[np.ndarray]
    customers: np.ndarray

    def __post_init__(self) -> None:
        names = {task_of(method) for method in self.offers}
        if len(names) != 1 or f"{self.name}:{BASELINE}" not in self.offers:
            raise ValueError(f"methods of one task and its baseline are needed, not {sorted(self.offers)}")
        if len(self.customers) != len(self.targets):
            raise ValueError(f"{len(self.customers)} customers for {len(self.targets)} sets of targets")

    @property
    def name(self) -> str:
        return task_of(next(iter(self.offers), ""))


@dataclass(frozen=True)
class Size:
    """How much a task's figures rest on."""

    cases: int
    customers: int


@dataclass(frozen=True)
class Evaluation:
    """How well each method foretold what was bought from ``since`` until ``until`` (ISO 8601), and how surely.

    A task is what offers are made for, such as "bought_with" or "for_you". Its methods are named by the task alone or
    "<task>:<variant>"; all of them are scored on the task's own cases, and ``gains`` holds for each but the baseline
    the mean over cases of its nDCG less that of "<task>:popularity". ``signals`` is free for what was said about the
    inputs of a method. As JSON, kept in a release's row:

        {"from": "…", "to": "…", "k": 10,
         "tasks": {"bought_with": {"cases": 4000, "customers": 1100}},
         "methods": {"bought_with": {"ndcg": {"mean": …, "low": …, "high": …}, "hit": {…}, "recall": {…}, "mrr": {…},
                                     "popw": {…}, "revenue": {…}, "revenue_ndcg": {…},
                                     "coverage": …, "novelty": …, "gini": …},
                     "bought_with:popularity": {…}},
         "gains": {"bought_with": {"mean": …, "low": …, "high": …}},
         "signals": {}}

    The two of revenue are left out where no price is known, and methods of a task without cases altogether.
    """

    since: str
    until: str
    k: int
    tasks: Mapping[str, Size]
    methods: Mapping[str, Scores]
    gains: Mapping[str, Interval]
    signals: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        tasks: Sequence[Task],
        popularity: np.ndarray,
        price: np.ndarray | None,
        since: str,
        until: str,
        k: int = 10,
        signals: Mapping[str, Any] | None = None,
    ) -> Evaluation:
        """Score all methods of ``tasks``; ``popularity``, ``price`` and ``k`` as in `evaluate`."""
        sizes: dict[str, Size] = {}
        methods: dict[str, Scores] = {}
        gains: dict[str, Interval] = {}
        for task in tasks:
            sizes[task.name] = Size(len(task.targets), len(np.unique(task.customers)))
            if len(task.targets):
                scored, gained = _measured(task, popularity, price, k)
                methods |= scored
                gains |= gained
        return cls(since, until, k, sizes, methods, gains, signals or {})

    def to_json(self) -> dict[str, Any]:
        return {
            "from": self.since,
            "to": self.until,
            "k": self.k,
            "tasks": {name: asdict(size) for name, size in self.tasks.items()},
            "methods": {
                name: scores.row() | {metric: asdict(one) for metric, one in scores.intervals.items()}
                for name, scores in self.methods.items()
            },
            "gains": {name: asdict(gain) for name, gain in self.gains.items()},
            "signals": dict(self.signals),
        }

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Evaluation:
        """What `to_json` gave; a DataError where something is missing."""
        try:
            return cls(
                *(stored["from"], stored["to"], stored["k"]),
                {name: Size(**size) for name, size in stored["tasks"].items()},
                {name: _scores_of(row) for name, row in stored["methods"].items()},
                {name: Interval(**gain) for name, gain in stored["gains"].items()},
                stored["signals"],
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(f"This is no evaluation of a release ({error!r}): train again to get one.") from error


def task_of(method: str) -> str:
    return method.partition(":")[0]


def baseline_of(method: str) -> str:
    return f"{task_of(method)}:{BASELINE}"


def gini(exposure: np.ndarray) -> float:
    """Σ (2·rank - items - 1)·exposure / ((items - 1)·Σ exposure); ``exposure``, shape (items,): how often offered."""
    items, total = len(exposure), exposure.sum()
    if items < 2 or not total:
        return 0.0
    rank = np.arange(1, items + 1)
    return float(((2 * rank - items - 1) * np.sort(exposure)).sum() / ((items - 1) * total))


def _measured(
    task: Task, popularity: np.ndarray, price: np.ndarray | None, k: int
) -> tuple[dict[str, Scores], dict[str, Interval]]:
    """Scores of all methods and gains of all but the baseline, from the same draws of customers."""
    found = {name: per_case(offers, task.targets, popularity, k, price) for name, offers in task.offers.items()}
    baseline = baseline_of(task.name)
    columns = {(name, metric): values for name, row in found.items() for metric, values in row.items()}
    columns |= {
        (name, "gain"): row["ndcg"] - found[baseline]["ndcg"] for name, row in found.items() if name != baseline
    }
    sure = dict(zip(columns, intervals(np.stack(list(columns.values()), axis=1), task.customers), strict=True))
    scores = {}
    for name, row in found.items():
        means = {metric: sure[name, metric] for metric in row}
        scores[name] = _scores(
            {metric: one.mean for metric, one in means.items()}, task.offers[name], popularity, k, means
        )
    return scores, {name: sure[name, "gain"] for name in found if name != baseline}


def _scores(
    means: Mapping[str, float],
    offers: Sequence[np.ndarray],
    popularity: np.ndarray,
    k: int,
    sure: Mapping[str, Interval] | None = None,
) -> Scores:
    items = len(popularity)
    shown = _keys([ranked[:k] for ranked in offers], items) % items
    exposure = np.bincount(shown, minlength=items)
    # One sale more of each, so that an item never sold is new and not infinitely so.
    bits = -np.log2((popularity + 1) / (popularity.sum() + items))
    return Scores(
        **{"revenue": nan, "revenue_ndcg": nan, **means},
        coverage=float((exposure > 0).mean()),
        novelty=float(bits[shown].mean()) if len(shown) else 0.0,
        gini=gini(exposure),
        intervals=sure or {},
    )


def _scores_of(row: Mapping[str, Any]) -> Scores:
    """The scores of one method's JSON."""
    sure = {name: Interval(**row[name]) for name in PER_CASE if name in row}
    means = {"revenue": nan, "revenue_ndcg": nan} | {name: one.mean for name, one in sure.items()}
    return Scores(**means, **{name: row[name] for name in OVERALL}, intervals=sure)


def _keys(lists: Sequence[np.ndarray], items: int) -> np.ndarray:
    """One number per entry that names its list and its item: list·items + item."""
    entry = np.concatenate([np.empty(0, np.int64), *(np.asarray(one, np.int64) for one in lists)])
    if len(entry) and (entry.min() < 0 or entry.max() >= items):
        raise ValueError(f"item numbers lie outside of 0…{items - 1}")
    return np.repeat(np.arange(len(lists)), _sizes(lists)) * items + entry


def _sizes(lists: Sequence[np.ndarray]) -> np.ndarray:
    return np.array([len(one) for one in lists], np.int64)


def _places(sizes: np.ndarray) -> np.ndarray:
    """0, 1, … anew within each of consecutive runs of ``sizes``."""
    return np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
