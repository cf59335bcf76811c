"""Pairs of 10 million synthetic purchase lines: 2 million baskets, 100,000 items."""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from ecomrec_django.learning.interactions import HISTORY, schema
from ecomrec_django.learning.statistics.cooccurrence import Statistics
from ecomrec_django.learning.statistics.engine import Engine

from . import Row


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=10_000_000)


def run(options: argparse.Namespace) -> list[Row]:
    import pyarrow as pa

    rows = options.rows
    baskets, items = max(rows // 5, 1), 100_000
    rng = np.random.default_rng(0)
    # Popularity of items falls with a power of their rank, as in shops.
    item = (items * rng.random(rows) ** 2).astype(np.int64) + 1
    basket = rng.integers(0, baskets, rows)
    lines = pa.table(
        {"basket": basket, "customer": basket // 4, "item": item, "share": np.ones(rows), "weight": np.ones(rows)}
    )
    statistics = Statistics(Engine(), schema(HISTORY).empty_table(), np.arange(1, items + 1))
    began = time.perf_counter()
    pairs = statistics.pairs(lines)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return [{"name": "ecomrec", "rows": rows, "pairs": len(pairs.anchor), "seconds": seconds, "peak_gib": peak}]
