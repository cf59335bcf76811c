"""The workers that train one network together, as TensorFlow's TF_CONFIG names them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import TrainingError


@dataclass(frozen=True)
class WorkerGroup:
    """All workers of one training, as one of them knows them.

    strategy: TensorFlow's way to join them; None where there is but one.
    size: how many there are.
    rank: number of this one, from 0.
    """

    strategy: Any = None
    size: int = 1
    rank: int = 0

    @classmethod
    def of_environment(cls) -> WorkerGroup:
        """Must be called before TensorFlow is put to any other use.

        Raises TrainingError for a worker of several devices.
        """
        if not os.environ.get("TF_CONFIG"):
            return cls()
        import tensorflow as tf

        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        resolver = strategy.cluster_resolver
        size = len(resolver.cluster_spec().as_dict().get("worker", [])) or 1
        if strategy.num_replicas_in_sync != size:
            raise TrainingError("Give each worker of TF_CONFIG one GPU, by CUDA_VISIBLE_DEVICES, or none.")
        return cls(strategy, size, rank=int(resolver.task_id or 0))

    def share(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """What ``work`` returns; the others call theirs at the same time, and `summed` inside of it joins them."""
        return work(*arguments) if self.strategy is None else self.strategy.run(work, args=arguments)

    def summed(self, values: Sequence[Any]) -> list[Any]:
        """Sums over all workers; to be called inside of `share`."""
        if self.strategy is None:
            return list(values)
        import tensorflow as tf

        return list(tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, list(values)))
