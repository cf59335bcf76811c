"""The next click of real sessions (yoochoose, 100,000 clicks), ranked among all items.

Protocol: items and sessions of the training file; clicks of the test file on other items are left out, then sessions
of one click. Every click of a test session but the first is foretold from those before it. HR@20: share of clicks
found among the first 20; MRR@20: mean of 1/place, 0 past 20. Constants were chosen on ``--validation``: the training
file's last day for the test, the days before for the training.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from ecomrec_django.learning.sessions import DAY, Decay, SessionNeighbours

from . import Row

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "rsc15_100k"
K = 20
METHODS = {
    "S-KNN": Decay(neighbours=300),
    "V-SKNN": Decay(place=1.0, latest=2.0, rarity=3.0),
    "STAN": Decay(place=1.0, age=5.0, distance=2.0, neighbours=300),
    "all": Decay(place=2.0, age=5.0, distance=3.0, latest=2.0, before=0.75, rarity=3.0, neighbours=300),
}

Clicks = tuple[np.ndarray, np.ndarray, np.ndarray]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where yoochoose-clicks-100k_*.txt.gz lie")
    parser.add_argument("--validation", action="store_true", help="foretell the training file's last day instead")


def run(options: argparse.Namespace) -> list[Row]:
    train, test = slices(options.folder, options.validation)
    ids = np.unique(train[1])
    return [scored(name, decay, train, test, ids) for name, decay in METHODS.items()]


def slices(folder: Path, validation: bool) -> tuple[Clicks, Clicks]:
    """Sessions, items and times (seconds) of the clicks to learn from, and of those to foretell."""
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


def scored(name: str, decay: Decay, train: Clicks, test: Clicks, ids: np.ndarray) -> Row:
    began = time.perf_counter()
    model = SessionNeighbours.of(train[0], np.searchsorted(ids, train[1]), train[2], len(ids), decay)
    fitted = time.perf_counter()
    places = np.concatenate([_places(model, items, days) for items, days in _sessions(test, ids)])
    asked = time.perf_counter()
    found = places <= K
    return {
        "name": f"ecomrec:{name}",
        "HR@20": float(found.mean()),
        "MRR@20": float((found / places).mean()),
        "clicks": len(places),
        "fit_seconds": fitted - began,
        "milliseconds": (asked - fitted) * 1000 / len(places),
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


def _places(model: SessionNeighbours, items: np.ndarray, days: np.ndarray) -> np.ndarray:
    """The place, from 1, of each item after the first; infinity where it is not named."""
    places = np.full(len(items) - 1, np.inf)
    for at in range(1, len(items)):
        named, _ = model.next(items[:at], days[at - 1])
        found = np.flatnonzero(named[:K] == items[at])
        if len(found):
            places[at - 1] = found[0] + 1
    return places
