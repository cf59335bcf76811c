"""Networks that two workers train together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecomrec_django.learning.sequences.batches import ItemContent
from ecomrec_django.learning.sequences.training import train
from tests.learning.images.test_model import drawn
from tests.learning.sequences.test_training import ITEMS, QUICK, circle, sequences
from tests.support.distributed_workers import Pair

# Which inputs and states are dropped is each worker's own affair.
SHARED = replace(QUICK, epochs=1, dropout=0.0)
WORKER = """
import sys
import numpy as np
from ecomrec_django.learning.distributed import WorkerGroup

# TensorFlow joins the workers of a process once.
workers = WorkerGroup.of_environment()
WorkerGroup.of_environment = classmethod(lambda cls: workers)

from ecomrec_django.learning.images.model import embed, predict, train
from tests.learning.images.test_model import QUICK, drawn
from tests.learning.test_distributed import recurrent_network

pictures, targets = drawn(np.random.default_rng(0), 240)
model = train(pictures, targets, settings=QUICK)
weights = {f"weights.{at}": variable.numpy() for at, variable in enumerate(model.network.variables)}
unseen = drawn(np.random.default_rng(1), 120)[0]
network = {f"sequences.{name}": array for name, array in recurrent_network().items()}
np.savez(sys.argv[1], **predict(model, unseen), vectors=embed(model, unseen), **weights, **network)
"""


def recurrent_network():
    return train(sequences(circle(np.random.default_rng(0), 60)), ItemContent.nothing(ITEMS), SHARED).network.arrays()


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """What each of the two workers has stored."""
    return Pair(WORKER, tmp_path_factory.mktemp("workers")).arrays()


def test_workers_end_with_the_same_networks(stored):
    first, second = stored
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_a_distributed_image_network_is_as_accurate(stored):
    _, targets = drawn(np.random.default_rng(1), 120)
    for name, least in (("shape", 0.8), ("colour", 0.9)):
        assert (stored[0][name].argmax(axis=1) == targets[name]).mean() > least


def test_a_distributed_sequence_network_equals_that_of_a_single_worker(stored):
    for name, array in recurrent_network().items():
        np.testing.assert_allclose(stored[0][f"sequences.{name}"], array, atol=1e-3)
