"""How a recurrent network is trained."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class GRUSettings:
    """How to train.

    units: numbers of a state and of an item's vector.
    rate: Adagrad's.
    size: steps of a batch.
    input_dropout: share of what is read that is set to 0.
    dropout: share of states that are set to 0.
    negatives: items drawn per batch, 0 to score all.
    power: of popularity, by which they are drawn.
    hidden: share of items without their id in a batch, so that category and content learn to stand in for it.
    epochs: at most.
    patience: epochs without a better trial after which it ends.
    held_out: share of sequences, the newest, that evaluate a trial; 0: no trial, all epochs are trained.
    seed: of the first weights, batches and dropout.
    """

    units: int = 100
    rate: float = 0.08
    size: int = 512
    input_dropout: float = 0.4
    dropout: float = 0.6
    negatives: int = 2_048
    power: float = 0.5
    hidden: float = 0.1
    epochs: int = 25
    patience: int = 3
    held_out: float = 0.1
    seed: int = 0
