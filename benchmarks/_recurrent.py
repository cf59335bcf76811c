"""Training of the recurrent network with its speed."""

from __future__ import annotations

import time

from ecomrec_django.learning.sequences.batches import ItemContent, Sequences
from ecomrec_django.learning.sequences.gru import GRUModel
from ecomrec_django.learning.sequences.settings import GRUSettings
from ecomrec_django.learning.sequences.training import train


def timed(sequences: Sequences, about: ItemContent, settings: GRUSettings) -> tuple[GRUModel, float, float]:
    """The network; seconds in all, with the import of TensorFlow; events learned from per second after the first step.

    ``settings`` must train all epochs, without a trial.
    """
    began, done = time.perf_counter(), []
    network = train(
        sequences, about, settings, progress=lambda steps, of: done.append((time.perf_counter(), steps / of))
    ).network
    seconds = time.perf_counter() - began
    (first, share), (last, _) = done[0], done[-1]
    return network, seconds, len(sequences.item) * settings.epochs * (1 - share) / (last - first)
