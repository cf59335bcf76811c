"""Speed and memory of the networks: what they learn per second, and what a web process pays for an answer."""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np

from ecomrec_django.learning.batches import About, Sequences
from ecomrec_django.learning.sequences import Settings

from . import Row
from ._recurrent import timed


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--items", type=int, default=37_000)
    parser.add_argument("--events", type=int, default=500_000)


def run(options: argparse.Namespace) -> list[Row]:
    return [_recurrent(options.items, options.events)]


def _recurrent(items: int, events: int) -> Row:
    """The GRU of 100 units on synthetic sessions; then by numpy the state after 20 events, and scores of all items."""
    before = _peak()
    settings = Settings(epochs=1, held_out=0.0)
    network, seconds, rate = timed(_sessions(items, events), About.nothing(items), settings)
    session = np.random.default_rng(1).integers(0, items, 20), np.zeros(20, np.int64), np.arange(20) * 30.0
    state = network.visitor(*session)
    return {
        "name": "ecomrec:RNN",
        "items": items,
        "events_per_second": rate,
        "seconds": seconds,
        "peak_mib": _peak(),
        "peak_mib_before": before,
        "state_microseconds": _microseconds(lambda: network.visitor(*session)),
        "scores_of_200_microseconds": _microseconds(lambda: network.scores(state, session[0].repeat(10))),
        "scores_of_all_microseconds": _microseconds(lambda: network.scores(state)),
    }


def _sessions(items: int, events: int) -> Sequences:
    """Sessions of 2 to 20 events, 5 on average, whose items, of power-law popularity, lead on to their neighbours."""
    rng = np.random.default_rng(0)
    length = np.minimum(1 + rng.geometric(0.25, events // 5), 20)
    session = np.repeat(np.arange(len(length)), length)
    start = (items * rng.random(len(length)) ** 3).astype(np.int64)
    item = (start[session] + rng.integers(0, 8, len(session))) % items
    time_ = np.arange(len(session)) * 30.0
    return Sequences.of(session, item, np.zeros(len(session), np.int8), time_)


def _microseconds(action: Callable[[], object], times: int = 300) -> float:
    """The median of some calls."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken)) * 1e6


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
