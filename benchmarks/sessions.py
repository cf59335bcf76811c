"""The next click of real sessions (yoochoose, 100,000 clicks), ranked among all items.

Protocol: items and sessions of the training file; clicks of the test file on other items are left out, then sessions
of one click. Every click of a test session but the first is predicted from those before it. HR@20: share of clicks
found among the first 20; MRR@20: mean of 1/place, 0 past 20; both again ("new") without the clicks on the item that
was clicked last. Constants were chosen on ``--validation``: the training file's last day for the test, the days before
for the training. "hybrid" is the GRU `with_neighbours` "all".
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ecomrec_django.learning.interactions import DAY
from ecomrec_django.learning.sequences.batches import ItemContent, Sequences
from ecomrec_django.learning.sequences.gru import GRUModel, time_gaps
from ecomrec_django.learning.sequences.settings import GRUSettings

from . import Row
from ._recurrent import timed
from ._session_knn import Decay, SessionNeighbours, with_neighbours

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "rsc15_100k"
K = 20
METHODS = {
    "S-KNN": Decay(neighbours=300),
    "V-SKNN": Decay(place=1.0, latest=2.0, rarity=3.0),
    "STAN": Decay(place=1.0, age=5.0, distance=2.0, neighbours=300),
    "all": Decay(place=2.0, age=5.0, distance=3.0, latest=2.0, before=0.75, rarity=3.0, neighbours=300),
}
GRU = GRUSettings(negatives=0, epochs=24, held_out=0.0)

# Names the items that may follow, best first, after each click of a session but the last; of its items and days.
Method = Callable[[np.ndarray, np.ndarray], list[np.ndarray]]
Clicks = tuple[np.ndarray, np.ndarray, np.ndarray]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where yoochoose-clicks-100k_*.txt.gz lie")
    parser.add_argument("--validation", action="store_true", help="predict the training file's last day instead")


def run(options: argparse.Namespace) -> list[Row]:
    known, test = slices(options.folder, options.validation)
    ids = np.unique(known[1])
    sessions = _sessions(test, ids)
    rows, neighbours = [], {}
    for name, decay in METHODS.items():
        began = time.perf_counter()
        model = SessionNeighbours.of(known[0], np.searchsorted(ids, known[1]), known[2], len(ids), decay)
        neighbours[name] = model
        rows.append(scored(name, _by_neighbours(model), sessions, time.perf_counter() - began))
    session, item, moment = known
    clicks = Sequences.of(session, np.searchsorted(ids, item), np.zeros(len(item), np.int8), moment)
    network, seconds, rate = timed(clicks, ItemContent.nothing(len(ids)), GRU)
    rows.append(scored("GRU", _by_network(network), sessions, seconds) | {"events_per_second": rate})
    rows.append(scored("hybrid", _by_both(neighbours["all"], network), sessions, seconds))
    return rows


def slices(folder: Path, validation: bool) -> tuple[Clicks, Clicks]:
    """Sessions, items and times (seconds) of the clicks to learn from, and of those to predict."""
    if not folder.is_dir():
        raise SystemExit(f"There is no folder {folder}: name the one with yoochoose-clicks-100k_*.txt.gz by --folder.")
    train = _read(folder / "yoochoose-clicks-100k_train_full.txt.gz")
    if not validation:
        return train, _read(folder / "yoochoose-clicks-100k_test.txt.gz")
    sessions, number = np.unique(train[0], return_inverse=True)
    ended = np.zeros(len(sessions))
    np.maximum.at(ended, number, train[2])
    last = (ended >= train[2].max() - DAY)[number]
    return tuple(part[~last] for part in train), tuple(part[last] for part in train)  # type: ignore[return-value]


def scored(name: str, method: Method, sessions: list[tuple[np.ndarray, np.ndarray]], seconds: float) -> Row:
    asked = time.perf_counter()
    places = np.concatenate([_places(method(items, days), items) for items, days in sessions])
    asked = time.perf_counter() - asked
    new = np.concatenate([items[1:] != items[:-1] for items, _ in sessions])
    found = places <= K
    return {
        "name": f"ecomrec:{name}",
        "HR@20": float(found.mean()),
        "MRR@20": float((found / places).mean()),
        "HR@20 new": float(found[new].mean()),
        "MRR@20 new": float((found / places)[new].mean()),
        "clicks": len(places),
        "fit_seconds": seconds,
        "milliseconds": asked * 1000 / len(places),
    }


def _read(path: Path) -> Clicks:
    import pandas as pd

    clicks = pd.read_csv(path, sep="\t")
    return clicks.SessionId.to_numpy(), clicks.ItemId.to_numpy(), clicks.Time.to_numpy(np.float64)


def _sessions(clicks: Clicks, ids: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Item numbers and days of each session of two or more known items, in the order of time."""
    known = np.isin(clicks[1], ids)
    session, item, seconds = (part[known] for part in clicks)
    order = np.lexsort((seconds, session))
    parts = np.split(order, np.flatnonzero(np.diff(session[order])) + 1)
    return [(np.searchsorted(ids, item[part]), seconds[part] / DAY) for part in parts if len(part) > 1]


def _by_neighbours(model: SessionNeighbours) -> Method:
    return lambda items, days: [model.next(items[:at], days[at - 1])[0][:K] for at in range(1, len(items))]


def _by_network(network: GRUModel) -> Method:
    return lambda items, days: [_best(scores) for scores in _logits(network, items, days)]


def _by_both(model: SessionNeighbours, network: GRUModel) -> Method:
    return lambda items, days: [
        _best(with_neighbours(logits, *model.next(items[:at], days[at - 1])))
        for at, logits in enumerate(_logits(network, items, days), 1)
    ]


def _logits(network: GRUModel, items: np.ndarray, days: np.ndarray) -> np.ndarray:
    states = network.states(items[:-1], np.zeros(len(items) - 1, np.int64), time_gaps(days[:-1] * DAY))
    return np.stack([network.scores(state) for state in states])


def _best(scores: np.ndarray) -> np.ndarray:
    return np.argsort(-scores, kind="stable")[:K]


def _places(named: list[np.ndarray], items: np.ndarray) -> np.ndarray:
    """The place, from 1, of each item after the first; infinity where it is not named."""
    places = np.full(len(named), np.inf)
    for at, these in enumerate(named):
        found = np.flatnonzero(these == items[at + 1])
        if len(found):
            places[at] = found[0] + 1
    return places
