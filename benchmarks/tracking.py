"""What tracking adds to a page, how many events come in a second, and what is lost when things fail.

``page``: milliseconds of small pages over HTTP, from shoppers who pause between pages, with the middleware and without,
by turns. ``events``: events a second through the beacon endpoint (two server processes, nine events a report, five
reports a shopper) and through the sinks. ``loss``: events sent, stored, counted as lost, and unaccounted for, while
something is down.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter_ns
from typing import Any

import numpy as np

from . import Row

ROOT = Path(__file__).resolve().parent.parent
ITEMS = 1_000
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PAUSE = 0.004
REPORTS = 5
OFFERS = 4
SERVERS = {
    "wsgi": ["gunicorn", "example_shop.wsgi", "--threads", "2", "--log-level", "error", "--bind"],
    "asgi": ["uvicorn", "example_shop.asgi:application", "--log-level", "error", "--no-access-log", "--port"],
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mysql", default="mysql://root@127.0.0.1:3306/ecomrec_bench", help="server of MariaDB or MySQL"
    )
    parser.add_argument("--redis", default="redis://127.0.0.1:6379/9", help="an empty Redis database")
    parser.add_argument("--samples", type=int, default=3_000, help="pages timed of each kind")
    parser.add_argument("--reports", type=int, default=4_000, help="beacon reports sent")
    parser.add_argument("--only", choices=["page", "events", "loss"], help="one part instead of all")


def run(options: argparse.Namespace) -> list[Row]:
    parts = {"page": _pages, "events": _events, "loss": _losses}
    rows: list[Row] = []
    with TemporaryDirectory(prefix="ecomrec-tracking-") as folder:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "benchmarks._tracked_shop",
            "SHOP_VAR": folder,
            "DATABASE_URL": options.mysql,
            "BENCH_REDIS": options.redis,
            "TRACKED": "1",
        }
        _inside(environment, "set_up")
        try:
            for part in [options.only] if options.only else parts:
                rows += parts[part](options, environment)
        finally:
            _inside(environment, "tear_down")
    return rows


def _inside(environment: dict[str, str], what: str, *arguments: str) -> Any:
    """One function of `benchmarks._tracking_steps` in a process of the shop; what it returns."""
    command = [sys.executable, "-m", "benchmarks._tracking_steps", what, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


# -- pages ----------------------------------------------------------------------------------------------------------


def _pages(options: argparse.Namespace, environment: dict[str, str]) -> list[Row]:
    rows = []
    for server in SERVERS:
        with ExitStack() as running:
            ports = {
                variant: running.enter_context(_serving(server, {**environment, "TRACKED": tracked}))
                for variant, tracked in [("without", "0"), ("with", "1")]
            }
            shoppers = {variant: HTTPConnection("127.0.0.1", port) for variant, port in ports.items()}
            for kind in ("tracked", "untracked"):
                taken = _timed(shoppers, kind, _cookies(environment, options.samples + 100))
                figures = {variant: np.percentile(times, [50, 99]) / 1e6 for variant, times in taken.items()}
                for variant, (p50, p99) in figures.items():
                    rows.append({"name": f"page:{server}:{kind}:{variant}", "p50_ms": p50, "p99_ms": p99})
                p50, p99 = figures["with"] - figures["without"]
                rows.append({"name": f"page:{server}:{kind}:added", "p50_ms": p50, "p99_ms": p99})
    return rows


def _timed(shoppers: dict[str, HTTPConnection], kind: str, cookies: Iterator[str]) -> dict[str, list[int]]:
    taken: dict[str, list[int]] = {variant: [] for variant in shoppers}
    for number, cookie in enumerate(cookies):
        headers = _shopper(cookie)
        address = f"/product/p{number % ITEMS}/" if kind == "tracked" else "/page/"
        for variant, shopper in shoppers.items():
            time.sleep(PAUSE)
            began = perf_counter_ns()
            shopper.request("GET", address, headers=headers)
            answer = shopper.getresponse()
            answer.read()
            taken[variant].append(perf_counter_ns() - began)
            assert answer.status == 200, answer.status
    # The first ones warm the servers up.
    return {variant: times[100:] for variant, times in taken.items()}


def _cookies(environment: dict[str, str], number: int) -> Iterator[str]:
    """Signed cookies of visitors whom nobody has seen before."""
    return iter(_inside(environment, "make_cookies", str(number)))


def _shopper(cookie: str) -> dict[str, str]:
    """Headers of a consenting shopper."""
    return {"User-Agent": BROWSER, "Cookie": f"ecomrec_consent=yes; ecomrec_visitor={cookie}"}


@contextmanager
def _serving(server: str, environment: dict[str, str], *more: str) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    where = f"127.0.0.1:{port}" if server == "wsgi" else str(port)
    process = subprocess.Popen([sys.executable, "-m", *SERVERS[server], where, *more], cwd=ROOT, env=environment)
    try:
        _wait_for(lambda: socket.create_connection(("127.0.0.1", port), 1).close())
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(attempt: Callable[[], None]) -> None:
    limit = time.monotonic() + 30
    while True:
        try:
            return attempt()
        except OSError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.1)


# -- events ---------------------------------------------------------------------------------------------------------


def _events(options: argparse.Namespace, environment: dict[str, str]) -> list[Row]:
    reports: list[list[dict[str, Any]]] = _inside(environment, "make_reports", str(options.reports))
    cookies = _cookies(environment, len(reports) // REPORTS + 4)
    expected = sum(_counted(report) for report in reports)
    before = _inside(environment, "stored")
    with _serving("wsgi", environment, "--workers", "2") as port, ThreadPoolExecutor(4) as pool:
        began = time.monotonic()
        list(pool.map(lambda some: _send(port, some, cookies), [reports[part::4] for part in range(4)]))
        seconds = time.monotonic() - began
    # The servers have ended, so that everything is written.
    stored = _inside(environment, "stored") - before
    rows: list[Row] = [
        {"name": "events:beacon", "events_per_s": expected / seconds, "sent": expected, "stored": stored},
    ]
    return rows + _inside(environment, "time_sinks")


def _counted(report: list[dict[str, Any]]) -> int:
    return sum(len(one.get("seen", "1")) for one in report)


def _send(port: int, reports: list[list[dict[str, Any]]], cookies: Iterator[str]) -> None:
    connection = HTTPConnection("127.0.0.1", port)
    headers: dict[str, str] = {}
    for number, report in enumerate(reports):
        if number % REPORTS == 0:
            headers = {**_shopper(next(cookies)), "Content-Type": "application/json"}
        connection.request("POST", "/ecomrec/beacon/", json.dumps({"reports": report}), headers)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 204, (answer.status, body[:200])


# -- losses ---------------------------------------------------------------------------------------------------------


def _losses(options: argparse.Namespace, environment: dict[str, str]) -> list[Row]:
    return _inside(environment, "count_losses")
