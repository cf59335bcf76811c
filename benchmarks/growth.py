"""Seconds and peak memory of a training as a shop grows, and the exponent with which they do.

Twelve purchase lines a shopper, on SQLite. ``exponent`` of n shoppers is log(seconds / seconds of the size before) /
log(n / that size): 1 where the cost grows with the lines, 2 where it grows with pairs of shoppers.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from tempfile import TemporaryDirectory

from . import Row
from .pipeline import TRAIN, in_process

_FILL = """
import django
django.setup()
from benchmarks._growing_shop import fill
fill({shoppers}, {items})
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shoppers", default="5000,20000,100000", help="numbers of shoppers, separated by commas")
    parser.add_argument("--items", type=int, default=20_000, help="products in the shop")


def run(options: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    before: Row | None = None
    for shoppers in map(int, options.shoppers.split(",")):
        stages = trained(shoppers, options.items)
        whole = stages[-1]
        if before is not None:
            growth = math.log(float(whole["seconds"]) / float(before["seconds"]))
            whole["exponent"] = growth / math.log(shoppers / int(before["shoppers"]))
        whole["shoppers"] = shoppers
        before = whole
        rows += [{**row, "name": f"{shoppers}: {row['name']}"} for row in stages]
        print(json.dumps(whole), flush=True)
    return rows


def trained(shoppers: int, items: int) -> list[Row]:
    """Seconds and memory by stage, and of the whole as the last row."""
    with TemporaryDirectory(prefix="ecomrec-growth-") as folder:
        environment = {**os.environ, "SHOP_VAR": folder, "DJANGO_SETTINGS_MODULE": "example_shop.settings"}
        environment.pop("DATABASE_URL", None)
        in_process(["manage.py", "migrate", "-v0"], environment)
        in_process(["-c", _FILL.format(shoppers=shoppers, items=items)], environment)
        rows: list[Row] = json.loads(in_process(["-c", TRAIN], environment).splitlines()[-1])
    return [row for row in rows if "seconds" in row]
