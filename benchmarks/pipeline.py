"""Seconds and peak memory from orders in the database to a published release.

With ``--networks`` a recurrent network is trained before (minutes to hours), and rows tell what its signal adds:
nDCG@10 of rankers with and without it, to customers who chose between them, and to those who judge.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from . import Row

ROOT = Path(__file__).resolve().parent.parent
# Runs in a process of its own, so that its peak memory is the pipeline's and nobody else's.
TRAIN = """
import json, resource, time
import django
django.setup()
from ecomrec_django.tasks import run_training
peaks, began = {}, time.monotonic()
def peak(stage, percent):
    peaks[stage] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
run = run_training(publish=True, progress=peak)
seconds = run.metrics["seconds"]
rows = [{"name": f"ecomrec:{stage}", "seconds": seconds[stage], "peak_mb": peaks[stage]} for stage in seconds]
whole = {"name": "ecomrec", "seconds": round(time.monotonic() - began, 2), "peak_mb": max(peaks.values()),
         "events": run.metrics["events"], "items": run.metrics["items"],
         "lists": sum(made["lists"] for made in run.release.metrics.values())}
ablation = [
    {"name": f"ecomrec:{task}, {variant}", **{f"ndcg_{who}": value for who, value in figures.items()}}
    for task, table in run.metrics.get("ablation", {}).items()
    for variant, figures in table.items()
    if variant != "used"
]
print(json.dumps([*rows, whole, *ablation]))
"""
CLEAR = """
import django
django.setup()
from ecomrec_django.models import *
Publication.objects.all().delete()
for model in (OfferList, Release, TrainingRun, Event, Visitor, Item, Category, Checkpoint):
    model.objects.all()._raw_delete(model.objects.db)
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--database-url", help="a scratch database, kept between runs; a new SQLite file if not given")
    parser.add_argument("--households", type=int, help="only the first N households")
    parser.add_argument("--networks", action="store_true", help="train a recurrent network too, and tell what it adds")


def run(options: argparse.Namespace) -> list[Row]:
    """Load the whole Complete Journey unless the scratch database has it, then train and publish as a shop would."""
    with TemporaryDirectory(prefix="ecomrec-pipeline-") as folder:
        environment = {**os.environ, "SHOP_VAR": folder, "DJANGO_SETTINGS_MODULE": "example_shop.settings"}
        environment.pop("DATABASE_URL", None)
        if options.database_url:
            environment["DATABASE_URL"] = options.database_url
        households = [f"--households={options.households}"] if options.households else []
        in_process(["manage.py", "migrate", "-v0"], environment)
        in_process(["manage.py", "load_completejourney", *households], environment)
        in_process(["-c", CLEAR], environment)
        if options.networks:
            in_process(["manage.py", "ecomrec_train"], environment)
            print(in_process(["manage.py", "ecomrec_sequences"], environment), flush=True)
        rows: list[Row] = json.loads(in_process(["-c", TRAIN], environment).splitlines()[-1])
    return rows


def in_process(arguments: list[str], environment: dict[str, str]) -> str:
    """What a Python with these arguments prints; SystemExit if it fails."""
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments[:2])} ended with status {done.returncode}")
    return done.stdout
