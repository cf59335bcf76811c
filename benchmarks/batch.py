"""Seconds and memory of `ecomrec_recommend` for 5,000 rows of known shoppers, and of nobody.

The shop is that of `personal`: 100,000 items, a million visitors with a profile, and rankers of real size.
``cpu`` is the process's own time, which others on the machine lengthen less. ``peak_mb`` is the memory of the process
at its highest, ``growth_mb`` what it is above that of a fifth of the rows.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import numpy as np

from . import Row

ROOT = Path(__file__).resolve().parent.parent


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--database-url", help="of MariaDB or MySQL; an SQLite file if not given")
    parser.add_argument("--items", type=int, default=100_000, help="items in the shop")
    parser.add_argument("--visitors", type=int, default=1_000_000, help="visitors with a profile")
    parser.add_argument("--rows", type=int, default=5_000, help="rows of a file, 10,000 at most")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keep what is made here and in the database for the next run"
    )


def run(options: argparse.Namespace) -> list[Row]:
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(TemporaryDirectory(prefix="ecomrec-batch-")))
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "example_shop.settings",
            "DEBUG": "0",
            "SHOP_VAR": str(folder.resolve()),
            "DATABASE_URL": options.database_url or f"sqlite:///{folder.resolve()}/unused.sqlite3",
        }
        sizes = map(str, (options.items, options.visitors, options.rows, int(options.keep is not None)))
        command = [sys.executable, "-m", "benchmarks.batch", *sizes]
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        rows: list[Row] = json.loads(done.stdout.splitlines()[-1])
    return rows


def figures(folder: Path, items: int, visitors: int, count: int) -> list[Row]:
    """Rows for the shop in the database; files are written in ``folder``."""
    from . import _personal_shop

    rng = np.random.default_rng(6)
    known = [_personal_shop.token_of(pk) for pk in _personal_shop.visiting(visitors)[:count].tolist()]
    anchors = [str(item) for item in rng.integers(1, items + 1, count).tolist()]
    files: dict[str, list[tuple[str, str, str]]] = {
        "for_you, known": [("for_you", "", name) for name in known],
        "bought_with, known": [("bought_with", item, name) for item, name in zip(anchors, known, strict=False)],
        "bought_with, nobody": [("bought_with", item, "") for item in anchors],
    }
    rows: list[Row] = []
    for name, requests in files.items():
        # The first also reads the model.
        _seconds(folder, requests[: max(len(requests) // 5, 1)])
        before = _peak_mb()
        seconds, cpu, offers = _seconds(folder, requests)
        row = {"name": f"ecomrec:{name}", "rows": len(requests), "seconds": seconds, "cpu": cpu, "offers": offers}
        rows.append({**row, "peak_mb": _peak_mb(), "growth_mb": _peak_mb() - before})
    return rows


def _seconds(folder: Path, requests: list[tuple[str, str, str]]) -> tuple[float, float, int]:
    """Seconds and seconds of the processor for a file of these requests, and the offers written."""
    from django.core.management import call_command

    file, output = folder / "requests.csv", folder / "offers.csv"
    with file.open("w", newline="") as written:
        writer = csv.writer(written)
        writer.writerow(["request", "strategy", "items", "visitor", "limit"])
        for number, (strategy, item, visitor) in enumerate(requests):
            writer.writerow([number, strategy, item, visitor, ""])
    began, cpu = perf_counter(), process_time()
    with Path(os.devnull).open("w") as silent:
        call_command("ecomrec_recommend", requests=file, output=output, stdout=silent)
    seconds, cpu = perf_counter() - began, process_time() - cpu
    with output.open(newline="") as read:
        return seconds, cpu, sum(1 for _ in csv.DictReader(read))


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _measure(items: int, visitors: int, count: int, keep: bool) -> list[Row]:
    from .personal import shop_database

    with shop_database(items, visitors, keep), TemporaryDirectory(prefix="ecomrec-batch-") as folder:
        return figures(Path(folder), items, visitors, count)


if __name__ == "__main__":
    items, visitors, count, keep = map(int, sys.argv[1:])
    print(json.dumps(_measure(items, visitors, count, bool(keep))))
