"""How well a training would predict what was bought, on the shop's own data, without a release."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils import timezone

from ..conf import conf
from ..errors import TrainingError
from ..history.export import export_history
from ..learning.progress import Progress, no_progress
from ..locks import exclusive
from .dataset import items_table, training_data
from .profiles import aisle_names, known_segments
from .progress import StageProgress

if TYPE_CHECKING:
    from ..learning.evaluation.metrics import Evaluation
    from .learners import LearnedModel

# Percent of the work that the export of the history takes.
HISTORY = 15


@dataclass(frozen=True)
class EvaluationRun:
    """What an evaluation found.

    evaluation: how well every method predicts the latest purchases.
    learned: what a release would have been made of.
    segments: description and number of shoppers of each.
    """

    evaluation: Evaluation
    learned: LearnedModel
    segments: list[tuple[str, int]]


def evaluate(until: datetime | None = None, progress: StageProgress | None = None) -> EvaluationRun:
    """Learn from the events before ``until`` (all if None) but the latest, and predict these.

    Reads the catalog and history as they are: nothing is imported, and nothing written but the history's files. Raises
    TrainingError if a training is running, or where there are no purchases to predict.
    """
    from ..learning.segmentation.descriptions import describe_words
    from .learners import aisle_ids, learn

    strategies = {name: made() for name, made in conf.STRATEGIES.items()}
    with exclusive():
        moment = until or timezone.now()
        history = export_history(_part(progress, "history", 0, HISTORY))
        items = items_table()
        if items.num_rows == 0:
            raise TrainingError("The catalog has no products, so there is nothing to evaluate: run ecomrec_sync first.")
        aisles = aisle_ids(items)
        shoppers = _part(progress, "shoppers", HISTORY, 100)
        data = training_data(history, items, moment, no_progress)
        learned = learn(data, items, strategies, known_segments(aisles), moment.timestamp(), shoppers)
    evaluation = learned.replay.evaluation
    if evaluation is None:
        before = f" before {until.isoformat()}" if until else ""
        raise TrainingError(
            f"Nothing was bought{before}, so there is nothing to predict: import the orders first, as ecomrec_train "
            "does."
        )
    names = aisle_names(aisles)
    segments = [(describe_words(cluster.words, names), cluster.size) for cluster in learned.snapshot.segments.clusters]
    return EvaluationRun(evaluation, learned, segments)


def _part(progress: StageProgress | None, stage: str, start: int, end: int) -> Progress:
    """Turns (done, total) of one stage into percent of the whole; a ``total`` of 0 is not known."""

    def report(done: int, total: int) -> None:
        if progress:
            progress(stage, start + (end - start) * min(done, total) // total if total else start)

    return report
