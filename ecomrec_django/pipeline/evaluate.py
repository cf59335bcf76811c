"""How well a training would foretell what was bought, on the shop's own data, without a release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils import timezone

from ..conf import conf
from ..errors import TrainingError
from .history import export_history
from .lock import only_one
from .profiles import aisle_names, known_segments
from .progress import Progress
from .train import items_table, training_data

if TYPE_CHECKING:
    from ..learning.evaluation import Evaluation
    from .personal import Learned

# Percent of the work that the export of the history takes.
HISTORY = 15


@dataclass(frozen=True)
class Evaluated:
    """``learned``: what a release would have been made of · ``segments``: description and shoppers of each."""

    evaluation: Evaluation
    learned: Learned
    segments: list[tuple[str, int]]


def evaluate(until: datetime | None = None, progress: Progress | None = None) -> Evaluated:
    """Learn from the events before ``until`` (all if None), with the last of them left out to be foretold.

    Of the shop's mirror and history as they are: nothing is imported, nothing written but the history's files. Raises
    TrainingError if a training is running, or where there are no purchases to foretell.
    """
    from ..learning.naming import described
    from .personal import aisles, learn

    strategies = {name: made() for name, made in conf.STRATEGIES.items()}
    with only_one():
        moment = until or timezone.now()
        history = export_history(_part(progress, "history", 0, HISTORY))
        items = items_table()
        if items.num_rows == 0:
            raise TrainingError("The catalog has no products, so there is nothing to evaluate: run ecomrec_sync first.")
        shelves = aisles(items)
        shoppers = _part(progress, "shoppers", HISTORY, 100)
        data = training_data(history, items, moment, lambda done, total: None)
        learned = learn(data, items, strategies, known_segments(shelves), moment.timestamp(), shoppers)
    if learned.evaluation is None:
        before = f" before {until.isoformat()}" if until else ""
        raise TrainingError(
            f"Nothing was bought{before}, so there is nothing to foretell: import the orders, as ecomrec_train does."
        )
    names = aisle_names(shelves)
    segments = [(described(found, names), found.size) for found in learned.knowledge.segments.found]
    return Evaluated(learned.evaluation, learned, segments)


def _part(progress: Progress | None, stage: str, start: int, end: int) -> Callable[[int, int], None]:
    """Turns (done, total) of one stage into percent of the whole; a ``total`` of 0 is not known."""

    def report(done: int, total: int) -> None:
        if progress:
            progress(stage, start + (end - start) * min(done, total) // total if total else start)

    return report
