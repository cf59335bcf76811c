"""Training of the networks that predict the next item of a history, in a run of their own; later trainings use them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from django.utils import timezone

from ..artifacts import network_folder
from ..conf import conf
from ..db import to_aware
from ..errors import TrainingError
from ..history.export import export_history
from ..learning.memory import MemoryLimit
from ..locks import exclusive
from ..models import TrainingRun
from .dataset import items_table, training_data
from .network_store import UNFINISHED, save_network
from .progress import Reporter, StageProgress
from .runs import finish_run, recorded_run
from .sequence_networks import KIND, PAST_FILE, PRESENT_FILE

if TYPE_CHECKING:
    from ..learning.interactions import IdMap, Interactions
    from ..learning.sequences.batches import ItemContent
    from ..learning.sequences.gru import GRUModel
    from ..learning.statistics.training_data import TrainingData

# Histories that evaluate each epoch of a trial.
EVALUATED_HISTORIES = 5_000


def train_sequences(until: datetime | None = None, progress: StageProgress | None = None) -> TrainingRun:
    """Train networks on the histories of shoppers before ``until`` (all if None).

    Returns the finished run, whose message says what was skipped and why. Raises TrainingError if another such run is
    at work, or after marking this one failed; the networks made before stay.
    """
    with exclusive(KIND), recorded_run(TrainingRun.Kind.SEQUENCES, until) as run:
        _run(run, Reporter(run, 100, progress, MemoryLimit(conf.DEEP_MEMORY)))
    return run


def _run(run: TrainingRun, report: Reporter) -> None:
    with report.stage("history", 10):
        history = export_history(report)
        items = items_table()
    if not history.total or not items.num_rows:
        finish_run(run, "There are no orders or other events yet, so there is nothing to train on.")
        return
    with report.stage("network", 90):
        data = training_data(history, items, to_aware(run.until or timezone.now()), report)
        try:
            message = _train(run, data, report)
        except TrainingError as error:
            message = str(error)
    finish_run(run, message)


def _train(run: TrainingRun, data: TrainingData, report: Reporter) -> str:
    from ..learning.sequences.batches import histories
    from ..learning.sequences.model import SequenceModel, save
    from ..learning.sequences.settings import GRUSettings
    from ..learning.sequences.training import train

    statistics = data.statistics
    events = statistics.interactions(statistics.purchases())
    moment = _moment(events)
    content, categories = _content(data)
    earlier, later = (histories(events.where(rows)) for rows in (events.time < moment, events.time >= moment))
    # Of more histories the evaluation would take longer than the training.
    later = later.part(max(len(later) - EVALUATED_HISTORIES, 0), len(later))
    result = train(
        histories(events),
        content,
        GRUSettings(),
        checkpoint=network_folder(KIND) / UNFINISHED,
        progress=report,
        trial=(earlier, later),
    )
    ids = events.items

    def write(folder: Path) -> None:
        for name, trained in ((PRESENT_FILE, result.final), (PAST_FILE, result.trial)):
            if trained is not None:
                model = SequenceModel(
                    network=trained.network,
                    origin=trained.origin,
                    ids=ids,
                    categories=categories,
                    image_network=data.image_network,
                )
                save(model, folder / name)

    save_network(KIND, write, {"trained": timezone.now().isoformat(), "moment": moment})
    quality = [[round(float(value), 4) for value in row] for row in result.quality]
    run.metrics.update(epochs=result.epochs, quality=quality, events=len(events), items=len(ids))
    run.metrics["map"] = _map(events, result.final.network)
    if result.trial is None:
        return f"Trained on {len(events)} events; too few to evaluate how well the network predicts the next one."
    since = datetime.fromtimestamp(moment, UTC).date()
    hit_rate, mrr = result.quality[result.epochs - 1]
    return (
        f"Trained on {len(events)} events in {result.epochs} rounds. A trial without those since {since} has the next "
        f"item among its first 20 predictions in {hit_rate:.0%} of cases; the mean reciprocal rank is {mrr:.3f}."
    )


def _map(events: Interactions, network: GRUModel) -> dict[str, Any]:
    """A map of the items with the most events; those that stand in similar places of histories lie together."""
    from ..learning.projection import MAX_POINTS, project_2d

    counts = np.bincount(events.item, minlength=len(events.items))
    drawn = np.sort(np.argsort(-counts, kind="stable")[: min(MAX_POINTS, int((counts > 0).sum()))])
    vectors = network.items[drawn, :-1]
    places = project_2d(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))
    return {"items": events.items.ids[drawn].tolist(), "places": places.round(3).tolist()}


def _moment(events: Interactions) -> float:
    """When a training's replay begins, where there are purchases; else when the same share of all events was over."""
    from ..learning.ranker_training.snapshot import split_time
    from ..learning.statistics.training_data import REPLAY_SHARE

    if len(events.of_kind("purchase")):
        return float(split_time(events, REPLAY_SHARE))
    return float(events.time[min(int(len(events) * REPLAY_SHARE), len(events) - 1)])


def _content(data: TrainingData) -> tuple[ItemContent, IdMap]:
    """What is known of the items, and the Category.pk of their categories."""
    from ..learning.interactions import IdMap
    from ..learning.sequences.batches import ItemContent

    category = data.items.sort_by("item")["category"].to_numpy()
    categories = IdMap.of(category[category > 0])
    vectors = (
        np.empty((len(category), 0), np.float32)
        if data.image_vectors is None
        else data.image_vectors.astype(np.float32)
    )
    return ItemContent(categories.numbers(category), vectors), categories
