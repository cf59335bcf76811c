"""How well a recurrent network predicts the next item."""

from __future__ import annotations

import numpy as np

from .batches import Sequences
from .gru import GRUModel

_K = 20
# Sequences, and rows of scores, that are computed together.
_BATCH = 256


def hit_rate_and_mrr(network: GRUModel, sequences: Sequences) -> tuple[float, float]:
    """HR@20 and MRR@20 of each sequence's events after the first among all items."""
    hits = reciprocal = 0.0
    vectors, bias = network.items[:-1, :-1].T, network.items[:-1, -1]
    by_length = np.argsort(np.diff(sequences.starts), kind="stable")
    for start in range(0, len(sequences), _BATCH):
        grid, real = sequences.grid(by_length[start : start + _BATCH])
        states = network.states(sequences.item[grid], sequences.kind[grid], sequences.gap[grid])[real]
        target = sequences.item[grid + 1][real]
        for first in range(0, len(target), _BATCH):
            scores = states[first : first + _BATCH] @ vectors + bias
            own = np.take_along_axis(scores, target[first : first + _BATCH, None], axis=1)
            rank = 1 + (scores > own).sum(axis=1)
            hits += (rank <= _K).sum()
            reciprocal += (1 / rank[rank <= _K]).sum()
    return hits / sequences.steps, reciprocal / sequences.steps
