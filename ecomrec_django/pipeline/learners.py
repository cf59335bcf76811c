"""What a release knows: statistics of the whole history, and rankers that were fitted and tested on its latest part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..learning.interactions import IdMap
from ..learning.items import category_groups
from ..learning.progress import Progress
from ..learning.ranker_training.snapshot import Snapshot, item_table, newest_day
from ..learning.ranking.model import IdIndex, Model
from ..learning.statistics.training_data import TrainingData
from ..learning.types import IntArray
from ..strategies.base import Strategy
from .evidence import evidence_messages
from .replay import NetworkFeatures, Replay, ReplayResult, interest_weights, task_title

if TYPE_CHECKING:
    import pyarrow as pa

    from ..learning.segmentation.clustering import KnownCluster
    from .sequence_networks import SequenceNetworks


@dataclass(frozen=True)
class LearnedModel:
    """What a training learned of items and shoppers.

    model: what web processes load.
    snapshot: what the whole history says.
    replay: how well purchases were predicted, and the rankers that predict them.
    messages: what a merchant should know.
    """

    model: Model
    snapshot: Snapshot
    replay: ReplayResult
    messages: list[str]


def learn(
    data: TrainingData,
    items: pa.Table,
    strategies: Mapping[str, Strategy],
    segments: Sequence[KnownCluster],
    until: float,
    progress: Progress,
    networks: SequenceNetworks | None = None,
) -> LearnedModel:
    """Learn from the shared statistics of ``data``.

    items: sorted by item.
    segments: those of earlier trainings, their aisles numbered as by `aisle_ids`.
    until: seconds since 1970.
    networks: they predict the next item of a history.
    """
    table = item_table(items)
    tasks = [*dict.fromkeys(strategy.ranker for strategy in strategies.values() if strategy.ranker)]
    features = NetworkFeatures(data, items, networks)
    result = Replay(data, items, table, strategies, features, progress).run(tasks)
    messages = [
        f"Not enough history to personalise “{task_title(task)}”; everyone sees the same list."
        for task, ranker in result.rankers.items()
        if not ranker.useful
    ]
    snapshot = Snapshot.of(data.statistics, table, interest_weights(result.interests), segments)
    snapshot = replace(snapshot, item_features=features.for_rankers(snapshot.item_features, result.rankers.values()))
    progress(10, 10)
    model = Model(
        ids=IdMap(data.statistics.ids),
        external_ids=IdIndex.of(items["external_id"].to_pylist()),
        needs=items["category"].to_numpy(),
        aisles=items["aisle"].to_numpy(),
        item_features=snapshot.item_features,
        rankers=result.rankers,
        newest=newest_day(snapshot.events),
        until=until,
        image_vectors=features.image_vectors,
    )
    messages += [*result.messages, *evidence_messages(data.statistics, items)]
    return LearnedModel(model, snapshot, result, messages)


def aisle_ids(items: pa.Table) -> IntArray:
    """Category.pk of each aisle number, below 0 for an item that is an aisle by itself."""
    return np.unique(category_groups(items, "aisle"))
