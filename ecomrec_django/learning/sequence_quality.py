"""How well a recurrent network foretells the next item."""

from __future__ import annotations

import numpy as np

from .batches import Sequences
from .recurrent import Recurrent

_K = 20
# Sequences, and scores, that are looked at together.
_TOGETHER = 256


def quality(network: Recurrent, sequences: Sequences) -> tuple[float, float]:
    """HR@20 and MRR@20 of each sequence's events after the first among all items."""
    found = reciprocal = 0.0
    vectors, bias = network.items[:-1, :-1].T, network.items[:-1, -1]
    by_length = np.argsort(np.diff(sequences.starts), kind="stable")
    for start in range(0, len(sequences), _TOGETHER):
        grid, real = sequences.grid(by_length[start : start + _TOGETHER])
        states = network.states(sequences.item[grid], sequences.kind[grid], sequences.gap[grid])[real]
        target = sequences.item[grid + 1][real]
        for at in range(0, len(target), _TOGETHER):
            scores = states[at : at + _TOGETHER] @ vectors + bias
            own = np.take_along_axis(scores, target[at : at + _TOGETHER, None], axis=1)
            place = 1 + (scores > own).sum(axis=1)
            found += (place <= _K).sum()
            reciprocal += (1 / place[place <= _K]).sum()
    return found / sequences.steps, reciprocal / sequences.steps
