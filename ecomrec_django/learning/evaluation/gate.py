"""What speaks against a new release's offers: they predict worse than those shown now, or than bestsellers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot

from .bootstrap import Interval, Z
from .metrics import COMPARED, Evaluation, SampleSize, baseline_of, task_of

# Fewer say too little. Customers, because the cases of one of them say nearly the same.
MIN_CASES = 100
MIN_TEST_CUSTOMERS = 30
# What lies this near to 0 is 0.
ROUNDING = 1e-9
# By how much of its metric a method may surely lie below bestsellers before it is more than a warning: offers that are
# spread over needs may predict a little less and still be the better page.
MATERIAL_LOSS = 0.01

# How staff read the metrics that tasks are judged by.
TITLES: Mapping[str, str] = {"ndcg": "nDCG@{k}", "mrr": "MRR@{k}", "revenue_ndcg": "revenue nDCG@{k}"}


@dataclass(frozen=True)
class Figures:
    """How well a method predicts, by the objective of its task.

    score: of the method.
    baseline: of bestsellers on the same cases.
    gain: the mean difference of the two.
    size: cases and customers that all of it rests on.
    """

    score: Interval
    baseline: Interval
    gain: Interval
    size: SampleSize

    @classmethod
    def of(cls, evaluation: Evaluation, method: str, metric: str) -> Figures | None:
        """None if the method was not judged by this metric, or on too few cases."""
        task = task_of(method)
        if method not in evaluation.gains or evaluation.objectives.get(task) != metric:
            return None
        if not is_judged(task, evaluation):
            return None
        score, baseline = (evaluation.methods[name].intervals[metric] for name in (method, baseline_of(method)))
        return cls(score, baseline, evaluation.gains[method], evaluation.tasks[task])


@dataclass(frozen=True, kw_only=True)
class Shortfall:
    """A method that predicts worse than bestsellers, or gains less over them than in the release shown now.

    method: its name in the evaluation.
    metric: the objective of its task.
    k: offers of a list that are scored.
    severe: whether it should not be shown for it.
    new: its figures in the new release.
    current: its figures in the release shown now, where it gained more there.
    """

    method: str
    metric: str
    k: int
    severe: bool
    new: Figures
    current: Figures | None = None

    def __str__(self) -> str:
        new, current = self.new, self.current
        head = f"{self.method}: {TITLES.get(self.metric, self.metric).format(k=self.k)} {_interval(new.score)}"
        if current is None:
            return (
                f"{head} is below bestsellers' {_interval(new.baseline)}, by {_interval(_loss(new.gain))}, "
                f"on {_size(new.size)}."
            )
        lost = _interval(_loss(_difference(new.gain, current.gain)))
        return (
            f"{head} against bestsellers' {_interval(new.baseline)} is a gain of {_interval(new.gain)} on "
            f"{_size(new.size)}. The current release gained more, by {lost}: {_interval(current.score)} against "
            f"{_interval(current.baseline)} is a gain of {_interval(current.gain)} on {_size(current.size)}."
        )


@dataclass(frozen=True)
class Unjudged:
    """A task with too few cases to say anything about its methods."""

    task: str
    size: SampleSize

    def __str__(self) -> str:
        return (
            f"{self.task}: not enough data to evaluate, {_size(self.size)}; at least {MIN_CASES} cases of "
            f"{MIN_TEST_CUSTOMERS} customers are needed."
        )


def find_shortfalls(task: str, new: Evaluation, current: Evaluation | None) -> list[Shortfall]:
    """What speaks against the methods of a task that shoppers are shown; nothing with too few cases (`find_unjudged`).

    ``current`` is the evaluation of the release whose offers are shown for the task now. A method falls short

    - if its gain is less than the same method's in ``current``: the 95 % interval of their difference lies below 0.
      Each release is judged on baskets of its own, so that scores themselves cannot be compared between the two, nor
      can differences per case be drawn; the standard error is the root of the sum of both squared.
    - or else if the 95 % interval of its gain over bestsellers lies below 0. This is severe only below -MATERIAL_LOSS,
      and not where ``current`` is known to be no better.

    Where nothing is worse, either happens once in forty.
    """
    shortfalls = []
    metric = new.objectives.get(task, "")
    comparable = current if current is not None and current.k == new.k else None
    for method in new.gains:
        if task_of(method) != task or method.partition(":")[2] in COMPARED:
            continue
        figures = Figures.of(new, method, metric)
        if figures is None:
            continue
        before = Figures.of(comparable, method, metric) if comparable is not None else None
        lost = before is not None and _difference(figures.gain, before.gain).high < -ROUNDING
        if lost or figures.gain.high < -ROUNDING:
            shortfalls.append(
                Shortfall(
                    method=method,
                    metric=metric,
                    k=new.k,
                    severe=lost or (before is None and figures.gain.high < -MATERIAL_LOSS),
                    new=figures,
                    current=before if lost else None,
                )
            )
    return shortfalls


def is_judged(task: str, evaluation: Evaluation) -> bool:
    """Whether there are enough cases to say anything about the methods of a task."""
    size = evaluation.tasks.get(task)
    return size is not None and _enough(size)


def find_unjudged(new: Evaluation) -> list[Unjudged]:
    """The tasks of which `find_shortfalls` says nothing because they have too few cases or customers."""
    return [Unjudged(task, size) for task, size in new.tasks.items() if not _enough(size)]


def _enough(size: SampleSize) -> bool:
    return size.cases >= MIN_CASES and size.customers >= MIN_TEST_CUSTOMERS


def _difference(gain: Interval, other: Interval) -> Interval:
    """``gain`` less ``other``, of independent cases."""
    mean, margin = gain.mean - other.mean, Z * hypot(gain.error, other.error)
    return Interval(mean, mean - margin, mean + margin)


def _loss(gain: Interval) -> Interval:
    """A gain as a loss."""
    return Interval(-gain.mean, -gain.high, -gain.low)


def _interval(interval: Interval) -> str:
    dash = "–" if interval.low >= 0 else " to "
    return f"{_number(interval.mean)} ({_number(interval.low)}{dash}{_number(interval.high)})"


def _number(value: float) -> str:
    """Three decimals and no zero before the point."""
    rounded = round(value, 3)
    return ("-" if rounded < 0 else "") + f"{abs(rounded):.3f}".removeprefix("0")


def _size(size: SampleSize) -> str:
    return f"{size.cases:,} cases of {size.customers:,} customers"
