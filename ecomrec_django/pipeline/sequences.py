"""What comes next in histories: a recurrent network that is trained on its own, and read by later trainings."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from django.utils import timezone

from ..conf import conf
from ..errors import DataError, TrainingError
from ..learning.memory import Ceiling
from ..models import TrainingRun
from ..models.bulk import aware
from .history import export_history
from .lock import only_one
from .networks import UNFINISHED, folder_of_kind, keep, newest
from .progress import Progress, Reporter
from .runs import finish, recorded

if TYPE_CHECKING:
    from ..learning.interactions import Interactions
    from ..learning.recurrent import Recurrent
    from ..learning.sequence_model import SequenceModel
    from ..learning.training_data import TrainingData

logger = logging.getLogger(__name__)

KIND = "sequences"
# Histories that judge each round of a trial.
JUDGES = 5_000
PAST, PRESENT = "past.npz", "present.npz"


@dataclass(frozen=True)
class Networks:
    """present: has learned from all events · past: from none since ``moment`` (seconds since 1970), so that what came
    afterwards tells how much it foretells; None where there was too little before."""

    present: SequenceModel
    past: SequenceModel | None
    moment: float


def learn_sequences(until: datetime | None = None, progress: Progress | None = None) -> TrainingRun:
    """Train networks on the histories of shoppers before ``until`` (all if None).

    Returns the finished run, whose message says what was skipped and why. Raises TrainingError if another such run is
    at work, or after marking this one failed; the networks made before stay.
    """
    with only_one(KIND), recorded(TrainingRun.Kind.SEQUENCES, until) as run:
        _learn(run, Reporter(run, 100, progress, Ceiling(conf.DEEP_MEMORY)))
    return run


def networks() -> Networks | None:
    """The newest ones; None where there are none, or where they cannot be read."""
    from ..learning.sequence_model import load

    folder, about = newest(KIND)
    if folder is None:
        return None
    try:
        past = load(folder / PAST) if (folder / PAST).exists() else None
        return Networks(load(folder / PRESENT), past, float(about["moment"]))
    except (DataError, KeyError) as error:
        logger.warning("What comes next in histories is not known: %s", error)
        return None


def _learn(run: TrainingRun, report: Reporter) -> None:
    from .train import items_table, training_data

    with report.stage("history", 10):
        history = export_history(report)
        items = items_table()
    if not history.total or not items.num_rows:
        finish(run, "There are no orders or other events yet, so that nothing can be learned of what comes next.")
        return
    with report.stage("network", 90):
        data = training_data(history, items, aware(run.until or timezone.now()), report)
        try:
            said = _trained(run, data, report)
        except TrainingError as error:
            said = str(error)
    finish(run, said)


def _trained(run: TrainingRun, data: TrainingData, report: Reporter) -> str:
    from ..learning.batches import histories
    from ..learning.sequence_model import SequenceModel, save
    from ..learning.sequences import Settings, train

    statistics = data.statistics
    events = statistics.interactions(statistics.purchases())
    moment = _moment(events)
    about, categories = _about(data)
    earlier, later = (histories(events.where(kept)) for kept in (events.time < moment, events.time >= moment))
    # The newest say enough of each round, which is else longer asked than trained.
    later = later.part(max(len(later) - JUDGES, 0), len(later))
    made = train(
        histories(events),
        about,
        Settings(),
        checkpoint=folder_of_kind(KIND) / UNFINISHED,
        progress=report,
        trial=(earlier, later),
    )
    ids = events.items

    def write(folder: Any) -> None:
        for name, one in ((PRESENT, made.final), (PAST, made.trial)):
            if one is not None:
                save(SequenceModel(one.network, one.origin, ids, categories, data.looks_by), folder / name)

    keep(KIND, write, {"trained": timezone.now().isoformat(), "moment": moment})
    curve = [[round(float(value), 4) for value in row] for row in made.quality]
    run.metrics.update(epochs=made.epochs, quality=curve, events=len(events), items=len(ids))
    run.metrics["map"] = _map(events, made.final.network)
    if made.trial is None:
        return f"Learned from {len(events)} events; there are too few to say how well that foretells the next one."
    since = datetime.fromtimestamp(moment, UTC).date()
    found, reciprocal = made.quality[made.epochs - 1]
    return (
        f"Learned from {len(events)} events in {made.epochs} rounds. A trial that had not seen those since {since} "
        f"named the next item among its first 20 in {found:.0%} of them; the mean of 1 / place is {reciprocal:.3f}."
    )


def _map(events: Interactions, network: Recurrent) -> dict[str, Any]:
    """Where the items of most events lie on a map of what comes before and after alike."""
    from ..learning.maps import MOST, on_a_map

    often = np.bincount(events.item, minlength=len(events.items))
    drawn = np.sort(np.argsort(-often, kind="stable")[: min(MOST, int((often > 0).sum()))])
    vectors = network.items[drawn, :-1]
    places = on_a_map(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))
    return {"items": events.items.ids[drawn].tolist(), "places": places.round(3).tolist()}


def _moment(events: Interactions) -> float:
    """As a training's replay begins, where there are purchases; else when so large a share of all events was over."""
    from ..learning.knowledge import split
    from .personal import PAST as SHARE

    if len(events.of_kind("purchase")):
        return float(split(events, SHARE))
    return float(events.time[min(int(len(events) * SHARE), len(events) - 1)])


def _about(data: TrainingData) -> tuple[Any, Any]:
    """What is known of the items, and the IdMap of their categories."""
    from ..learning.batches import About
    from ..learning.interactions import IdMap

    category = data.items.sort_by("item")["category"].to_numpy()
    categories = IdMap.of(category[category > 0])
    looks = np.empty((len(category), 0), np.float32) if data.looks is None else data.looks.astype(np.float32)
    return About(categories.numbers(category), looks), categories
