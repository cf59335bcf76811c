"""The example shop as its owner runs it: in processes of its own, on a database of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

from django.conf import settings

ROOT = Path(__file__).resolve().parent.parent


class ShopProcess:
    """Commands and servers of one shop, whose files lie in ``folder``."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "example_shop.settings",
            "DATABASE_URL": database_url,
            "SHOP_VAR": str(folder),
        }

    def manage(self, *arguments: str) -> str:
        """Run a management command; returns what it said."""
        run = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, f"{arguments}: {run.stdout}\n{run.stderr}"
        return run.stdout

    def ask(self, code: str) -> str:
        """What ``code`` prints in the shop's shell."""
        return self.manage("shell", "--verbosity", "0", "--command", code).strip()

    @contextmanager
    def running(self, *command: str) -> Iterator[Path]:
        """A long-running Python process; gives the file with what it says, and ends it by its id."""
        log = self.folder / "process.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, *command], cwd=ROOT, env=self.environment, stdout=out, stderr=out
            )
        try:
            yield log
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The shop's address."""
        port = free_port()
        with self.running("manage.py", "runserver", "--noreload", f"127.0.0.1:{port}") as log:
            address = f"http://127.0.0.1:{port}"
            wait_for(lambda: answers(address), log)
            yield address


def wait_for(true, log: Path, seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, log.read_text(errors="replace")[-4000:]
        time.sleep(0.2)


def answers(address: str) -> bool:
    try:
        return urlopen(address, timeout=10).status == 200
    except URLError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def own_database(folder: Path) -> Iterator[str]:
    """DATABASE_URL of a new database of the kind under test."""
    given = settings.DATABASES["default"]
    if given["ENGINE"].endswith("sqlite3"):
        yield f"sqlite:///{folder / 'shop.sqlite3'}"
        return
    import MySQLdb

    name = f"ecomrec_{os.getpid()}_{folder.name}"
    account = {"host": given["HOST"], "port": int(given["PORT"] or 3306), "user": given["USER"]}
    server = MySQLdb.connect(**account, password=given["PASSWORD"])
    server.query(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    try:
        yield "mysql://{user}:{password}@{host}:{port}/{name}".format(
            **account, password=quote(given["PASSWORD"]), name=name
        )
    finally:
        server.ping()
        server.query(f"DROP DATABASE {name}")
        server.close()
