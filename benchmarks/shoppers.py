"""Whether offers earn what their figures say: shoppers whose tastes are known shop through the real pages.

A shop of 288 products in 12 categories has pairs of categories that go together, answers to one need at several
prices, and products that are used up. Its shoppers like categories, brands and styles each in their own way and mind
prices more or less. Forty weeks of their orders are trained from and published; then visits come for four weeks, each
by `django.test.Client` through all of the shop: consent, login, the product page, what its script would report, the
cart and the checkout. Every simulated night the jobs of a schedule run, and an experiment with a holdout decides the
product page's slot. What a shopper needs, and what they would buy without any offers, is drawn beforehand and the same
for all ways of sharing out the arms. One in ten does not agree to be recorded.

The click model is position-based. A visit scrolls to the offers with chance 0.8; then the offer j at rank k beside the
product i is examined with chance k^-0.7, clicked with its attraction, and bought after a click with chance 0.4:

    attraction = min(1, 2.5 · taste(category of j) · liking(brand, style of j) · goes(i, j) · due(category of j) · fit)
    fit = min(1, usual price of the category / price of j)^sensitivity
    goes = 1 beside its complement (0.4 in another style), 0.3 within one category, 0.25 else
    due = days since the last one / days it lasts, at most 1; of what is not used up 1 before the first one, 0.05 after

and an upgrade with min(1, 0.6 · liking · (price of i / price of j)^sensitivity). Taste and liking are at most 1. Of one
category a visit buys one: what was offered takes the place of what was planned, so that much of what is credited to
offers would have been bought without them. Shoppers answer the blocks of the page they came for, and no others.

``worth``: what an arm would bring a visit beyond none, by the click model. ``truth`` stands beside estimates, by the
model and for the same visitors, each of whom counts once where it is what they ``spent``; who saw several arms is left
out by the shop's figures. ``regret``: expected revenue that the best arm would have brought more.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from . import Row

ROOT = Path(__file__).resolve().parent.parent
WAYS = {"bandit": "ecomrec", "epsilon-greedy": "epsilon-greedy", "uniform": "uniform"}

Found = dict[str, Any]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--visits", type=int, default=1_200, help="visits once there are offers; four weeks long")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="each with the same shoppers")
    parser.add_argument("--mysql", metavar="URL", help="a scratch database of MariaDB or MySQL instead of SQLite")
    parser.add_argument("--redis", metavar="URL", help="a server whose databases 1 to 3 hold what waits to be drained")


def run(options: argparse.Namespace) -> list[Row]:
    with TemporaryDirectory(prefix="ecomrec-shoppers-") as folder, ThreadPoolExecutor() as pool:
        places = range(len(options.ways))
        found = list(pool.map(lambda place: _walked(options, options.ways[place], place, folder), places))
    by_way = dict(zip(options.ways, found, strict=True))
    rows = []
    if "bandit" in by_way:
        rows += [*_arms(by_way["bandit"]), *_money(by_way["bandit"])]
    return [*rows, *_ways(by_way)]


def _walked(options: argparse.Namespace, way: str, place: int, folder: str) -> Found:
    """All days of one way, in a process and a database of their own."""
    database = f"{options.mysql}_{way.replace('-', '_')}" if options.mysql else f"sqlite:///{folder}/unused.sqlite3"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "benchmarks._shoppers_settings",
        "DEBUG": "0",
        "SHOP_VAR": f"{folder}/{way}",
        "DATABASE_URL": database,
        "REDIS": f"{options.redis.rstrip('/')}/{place + 1}" if options.redis else "",
    }
    command = [sys.executable, "-m", "benchmarks._shoppers_days", way]
    command += map(str, (options.visits, options.seed, place))
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def _arms(found: Found) -> list[Row]:
    """What the shop says of each arm, and what the click model says it is worth."""
    rows: list[Row] = []
    for arm in found["results"]["arms"]:
        row: Row = {"name": f"ecomrec: {arm['name']}"}
        if not arm["holdout"]:
            row["end_share"] = found["end_share"][str(arm["arm"])]
        row |= {name: arm[name] for name in ("days", "visitors", "clicks", "orders", "revenue")}
        if not arm["holdout"]:
            row["revenue_a_day"] = arm["revenue"] / max(arm["days"], 1)
            row["worth"] = found["worth"][str(arm["arm"])]
        rows.append(row)
    return rows


def _money(found: Found) -> list[Row]:
    """What visitors spent who saw one arm alone, and what of it offers brought; and of those who are not counted."""
    arms = found["results"]["arms"]
    (none,) = (arm for arm in arms if arm["holdout"])
    offered = [arm for arm in arms if not arm["holdout"]]
    visitors = sum(arm["visitors"] for arm in offered)
    spent = sum(arm["spent"]["mean"] * arm["visitors"] for arm in offered) / max(visitors, 1)
    # An end of the interval that is not known yet is None.
    known = {name: value for name, value in found["results"]["incremental"].items() if value is not None}
    refused = found["refused"]
    rows: list[Row] = [
        {"name": "spent with offers", "visitors": visitors, "estimate": spent, "truth": found["with"]},
        {"name": "- had they seen none", "visitors": visitors, "truth": found["with_none"]},
        {
            "name": "spent in the holdout",
            "visitors": none["visitors"],
            "estimate": none["spent"]["mean"],
            "truth": found["holdout"],
        },
        {"name": "saw several, had they none", "visitors": found["left_out"], "truth": found["left_out_none"]},
        {"name": "incremental revenue", "estimate": known.pop("mean"), **known, "truth": found["incremental"]},
        {"name": "attributed revenue", "estimate": found["attributed"], "truth": found["incremental"]},
        {"name": "did not agree", "visitors": refused["shoppers"], "recorded": refused["recorded"]},
    ]
    return [{**row, "name": f"ecomrec: {row['name']}"} for row in rows]


def _ways(by_way: dict[str, Found]) -> list[Row]:
    arms = list(next(iter(by_way.values()))["worth"])
    # By all that was seen: the ways differ in what shoppers had seen before.
    best = max(arms, key=lambda arm: sum(found["worth"][arm] for found in by_way.values()))
    regret = {way: found["all_of"][best] - found["offered"] for way, found in by_way.items()}
    rows: list[Row] = []
    for way, found in by_way.items():
        row: Row = {"name": WAYS[way], "best_arm": found["end_share"][best], "regret": regret[way]}
        if "uniform" in regret:
            row["to_uniform"] = regret[way] / regret["uniform"]
        if "epsilon-greedy" in regret:
            row["to_epsilon_greedy"] = regret[way] / regret["epsilon-greedy"]
        rows.append(row | {"visits": found["visits"], "requests": found["requests"]})
    return rows
