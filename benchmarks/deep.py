"""How fast the deep learners are, and what memory they need.

Each row is measured in a process of its own, whose largest resident size is ``peak_mib``. ``read``: JPEG files of
600 × 600 pixels by Pillow into 64 × 64. ``embed``: such pictures by an untrained network, which takes as long as a
trained one. ``RNN``: an epoch of synthetic sessions with 100 units; then, by numpy, the state after 20 events, and
scores.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator
from io import BytesIO

import numpy as np

from ecomrec_django.learning.images import decoding
from ecomrec_django.learning.images import model as image_model
from ecomrec_django.learning.images.network import network
from ecomrec_django.learning.images.training import ImageSettings as PictureSettings
from ecomrec_django.learning.sequences.batches import ItemContent, Sequences
from ecomrec_django.learning.sequences.settings import GRUSettings

from . import Row
from ._recurrent import timed

BATCH = 1_000


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pictures", type=int, default=20_000, help="pictures that are embedded")
    parser.add_argument("--items", type=int, default=37_000, help="items of the sessions")
    parser.add_argument("--events", type=int, default=500_000, help="events of the sessions")


def run(options: argparse.Namespace) -> list[Row]:
    # A process that is forked would begin with the size of this one.
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        work = [(_read, ()), (_embed, (options.pictures,)), (_recurrent, (options.items, options.events))]
        return [pool.apply(measure, arguments) for measure, arguments in work]


def _read() -> Row:
    files = _files(20)
    began = time.perf_counter()
    for at in range(BATCH):
        decoding.decode_image(files[at % len(files)])
    seconds = time.perf_counter() - began
    return {"name": "ecomrec:read", "count": BATCH, "per_second": BATCH / seconds, "peak_mib": _peak()}


def _embed(count: int) -> Row:
    settings = PictureSettings()
    classes = {"category": 100, "brand": 200, "colour": 12}
    made = network(decoding.SIZE, classes, settings.widths)
    model = image_model.ImageModel(network=made, size=decoding.SIZE, classes=classes, settings=settings, figures={})
    shown = np.random.default_rng(0).integers(0, 256, (BATCH, decoding.SIZE, decoding.SIZE, 3), np.uint8)
    # The first call makes the graph.
    image_model.embed(model, shown)

    def batches() -> Iterator[np.ndarray]:
        for at in range(0, count, BATCH):
            yield shown[: count - at]

    began = time.perf_counter()
    vectors = image_model.embed(model, batches())
    seconds = time.perf_counter() - began
    return {"name": "ecomrec:embed", "count": len(vectors), "per_second": len(vectors) / seconds, "peak_mib": _peak()}


def _recurrent(items: int, events: int) -> Row:
    known = Sequences.of(*_sessions(items, events))
    made, seconds, rate = timed(known, ItemContent.nothing(items), GRUSettings(epochs=1, held_out=0.0))
    session = np.random.default_rng(1).integers(0, items, 20), np.zeros(20, np.int64), np.arange(20) * 30.0
    state = made.visitor(*session)
    return {
        "name": "ecomrec:RNN",
        "count": known.steps,
        "per_second": rate,
        "peak_mib": _peak(),
        "seconds": seconds,
        "state_us": _microseconds(lambda: made.visitor(*session)),
        "scores_of_200_us": _microseconds(lambda: made.scores(state, session[0].repeat(10))),
        "scores_of_all_us": _microseconds(lambda: made.scores(state)),
    }


def _sessions(items: int, events: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sessions of 2 to 20 events, 5 on average, whose items, of power-law popularity, lead on to their neighbours."""
    rng = np.random.default_rng(0)
    length = np.minimum(1 + rng.geometric(0.25, events // 5), 20)
    session = np.repeat(np.arange(len(length)), length)
    start = (items * rng.random(len(length)) ** 3).astype(np.int64)
    item = (start[session] + rng.integers(0, 8, len(session))) % items
    return session, item, np.zeros(len(session), np.int8), np.arange(len(session)) * 30.0


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


def _files(count: int) -> list[bytes]:
    """JPEG files of smooth random pictures."""
    from PIL import Image

    rng = np.random.default_rng(0)
    files = []
    for _ in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8))
        file = BytesIO()
        coarse.resize((600, 600), Image.Resampling.BICUBIC).save(file, "JPEG", quality=85)
        files.append(file.getvalue())
    return files
