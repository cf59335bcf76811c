"""Whether a release may replace the current one: it must foretell no worse, beyond what chance explains."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot

from .bootstrap import Interval, Z
from .evaluation import COMPARED, Evaluation, Size, baseline_of, task_of

# Fewer say too little. Customers, because the cases of one of them say nearly the same.
MIN_CASES = 100
MIN_CUSTOMERS = 30
# What lies this near to 0 is 0.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Figures:
    """nDCG of a method and of its baseline on the same cases, and the mean difference of the two."""

    ndcg: Interval
    baseline: Interval
    gain: Interval
    size: Size

    @classmethod
    def of(cls, evaluation: Evaluation, method: str) -> Figures | None:
        """None if the method was not scored, or on too few cases."""
        size = evaluation.tasks.get(task_of(method))
        if method not in evaluation.gains or size is None or not _enough(size):
            return None
        ndcg, baseline = (evaluation.methods[name].intervals["ndcg"] for name in (method, baseline_of(method)))
        return cls(ndcg, baseline, evaluation.gains[method], size)


@dataclass(frozen=True)
class Refusal:
    """``method`` is worse than its baseline; or, where ``current`` is given, gains less than it did in that release."""

    method: str
    k: int
    new: Figures
    current: Figures | None = None

    def sentence(self) -> str:
        new, current = self.new, self.current
        head = f"{self.method}: nDCG@{self.k} {_interval(new.ndcg)}"
        if current is None:
            return (
                f"{head} is worse than bestsellers' {_interval(new.baseline)}, by {_interval(_less(new.gain))}, "
                f"on {_size(new.size)}."
            )
        return (
            f"{head} beside bestsellers' {_interval(new.baseline)} is a gain of {_interval(new.gain)} on "
            f"{_size(new.size)}. The current release's {_interval(current.ndcg)} beside {_interval(current.baseline)} "
            f"was a gain of {_interval(current.gain)} on {_size(current.size)}: more, by "
            f"{_interval(_less(_difference(new.gain, current.gain)))}."
        )

    __str__ = sentence


@dataclass(frozen=True)
class Unjudged:
    """A task with too few cases to say anything about its methods."""

    task: str
    size: Size

    def sentence(self) -> str:
        return (
            f"{self.task}: nothing could be judged on {_size(self.size)}; "
            f"it takes {MIN_CASES} cases of {MIN_CUSTOMERS} customers."
        )

    __str__ = sentence


def refusals(new: Evaluation, current: Evaluation | None) -> list[Refusal]:
    """Why ``new`` may not be published in place of ``current``; nothing of a task with too few cases (`unjudged`).

    A method that shoppers are shown is refused (a) if the 95 % interval of its gain over bestsellers lies below 0, and
    (b) if its gain is less than the same method's in ``current``: the 95 % interval of their difference lies below 0.
    Each release is judged on baskets of its own, so that nDCG itself cannot be compared between the two, nor can
    differences per case be drawn; the standard error is the root of the sum of both squared. Where nothing is worse,
    either happens once in forty.
    """
    found = []
    for method in new.gains:
        if method.partition(":")[2] in COMPARED:
            continue
        figures = Figures.of(new, method)
        if figures is None:
            continue
        if figures.gain.high < -ROUNDING:
            found.append(Refusal(method, new.k, figures))
        before = Figures.of(current, method) if current is not None and current.k == new.k else None
        if before is not None and _difference(figures.gain, before.gain).high < -ROUNDING:
            found.append(Refusal(method, new.k, figures, before))
    return found


def unjudged(new: Evaluation) -> list[Unjudged]:
    """The tasks of which `refusals` says nothing because they have too few cases or customers."""
    return [Unjudged(task, size) for task, size in new.tasks.items() if not _enough(size)]


def _enough(size: Size) -> bool:
    return size.cases >= MIN_CASES and size.customers >= MIN_CUSTOMERS


def _difference(one: Interval, other: Interval) -> Interval:
    """``one`` less ``other``, of independent cases."""
    mean, margin = one.mean - other.mean, Z * hypot(one.error, other.error)
    return Interval(mean, mean - margin, mean + margin)


def _less(gain: Interval) -> Interval:
    """A gain as a loss."""
    return Interval(-gain.mean, -gain.high, -gain.low)


def _interval(one: Interval) -> str:
    return f"{_number(one.mean)} ({_number(one.low)}{'–' if one.low >= 0 else ' to '}{_number(one.high)})"


def _number(value: float) -> str:
    """Three decimals and no zero before the point."""
    rounded = round(value, 3)
    return ("-" if rounded < 0 else "") + f"{abs(rounded):.3f}".removeprefix("0")


def _size(size: Size) -> str:
    return f"{size.cases:,} cases of {size.customers:,} customers"
