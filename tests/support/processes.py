"""The example shop as its owner runs it: in processes of its own, on a database of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen
from weakref import finalize

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

from tests.services import end, free_port
from tests.support.console import COMPLAINED, SAID
from tests.support.threads import SECONDS

ROOT = Path(__file__).resolve().parents[2]


WORKER_LIBRARIES = {"tensorflow", "keras", "duckdb", "sklearn", "pyarrow", "scipy"}


def libraries_loaded_by(script: str, environment: dict[str, str] | None = None) -> set[str]:
    """The top-level modules that a process has loaded once it has run ``script``."""
    script += '\nimport sys\nprint(*{name.split(".")[0] for name in sys.modules})\n'
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.splitlines()[-1].split())


class ShopProcess:
    """Commands and servers of one shop, whose files lie in ``folder``."""

    # Where its manage.py lies.
    project = ROOT

    def __init__(self, folder: Path, database_url: str, **environment: str) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "example_shop.settings",
            "DATABASE_URL": database_url,
            "SHOP_VAR": str(folder),
            **environment,
        }

    def manage(self, *arguments: str) -> str:
        """Run a management command in a process of its own; returns what it said."""
        console = self._console
        assert console.stdin is not None
        assert console.stdout is not None
        console.stdin.write(json.dumps(arguments) + "\n")
        console.stdin.flush()
        status = console.stdout.readline().strip()
        said, complained = (self.folder / name for name in (SAID, COMPLAINED))
        assert status == "0", f"{arguments}: {_text(said)}\n{_text(complained)}"
        return _text(said)

    @cached_property
    def _console(self) -> subprocess.Popen[str]:
        """Loads the project once; it ends when the shop is forgotten."""
        with (self.folder / COMPLAINED).open("wb") as errors:
            console = subprocess.Popen(
                [sys.executable, "-m", "tests.support.console", str(self.folder)],
                cwd=self.project,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        finalize(self, _close, console)
        return console

    def reload(self) -> None:
        """Load the project anew, whose code or settings have changed."""
        _close(self.__dict__.pop("_console"))

    def ask(self, code: str) -> str:
        """What ``code`` prints in the shop's shell."""
        return self.manage("shell", "--verbosity", "0", "--command", code).strip()

    @contextmanager
    def running(self, *command: str) -> Iterator[Path]:
        """A long-running Python process; gives the file with what it says, and ends it by its id."""
        log = self.folder / "process.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, *command], cwd=self.project, env=self.environment, stdout=out, stderr=out
            )
        try:
            yield log
        finally:
            end(process)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The shop's address."""
        port = free_port()
        with self.running("manage.py", "runserver", "--noreload", f"127.0.0.1:{port}") as log:
            address = f"http://127.0.0.1:{port}"
            wait_for(lambda: answers(address), log)
            yield address


def _close(console: subprocess.Popen[str]) -> None:
    """Its input ends, and so does it."""
    with console:
        pass


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def wait_for(true: Callable[[], object], log: Path | None = None, seconds: float = SECONDS) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, log.read_text(errors="replace")[-4000:] if log else "it never came true"
        time.sleep(0.05)


def answers(address: str) -> bool:
    try:
        return urlopen(address, timeout=SECONDS).status == 200
    except URLError:
        return False


@contextmanager
def own_database(folder: Path) -> Iterator[str]:
    """DATABASE_URL of a new database of the kind under test."""
    given = settings.DATABASES["default"]
    if given["ENGINE"].endswith("sqlite3"):
        # It need not survive a power cut.
        yield f"sqlite:///{folder / 'shop.sqlite3'}?init_command={quote('PRAGMA synchronous=OFF')}"
        return
    name = f"ecomrec_{os.getpid()}_{folder.name}".replace("-", "_")
    postgres = given["ENGINE"].endswith("postgresql")
    _administer(f"CREATE DATABASE {name}{'' if postgres else ' CHARACTER SET utf8mb4'}")
    try:
        account = f"{given['USER']}:{quote(given['PASSWORD'])}"
        yield f"{'postgres' if postgres else 'mysql'}://{account}@{given['HOST']}:{given['PORT']}/{name}"
    finally:
        _administer(f"DROP DATABASE {name}{' WITH (FORCE)' if postgres else ''}")


@contextmanager
def new_shop(folder: Path, **environment: str) -> Iterator[ShopProcess]:
    """An empty shop with its files in ``folder`` and a database of its own."""
    with own_database(folder) as database:
        shop = ShopProcess(folder, database, **environment)
        shop.manage("migrate", "--verbosity", "0")
        yield shop


def _administer(statement: str) -> None:
    """Execute a statement outside of any test's database, so that a fixture of many tests may do so."""
    # In a thread: Playwright runs an event loop in this one, where Django connects to nothing.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(_execute, statement).result(SECONDS)


def _execute(statement: str) -> None:
    given = connections[DEFAULT_DB_ALIAS]
    postgres = given.vendor == "postgresql"
    server = type(given)({**given.settings_dict, "NAME": "postgres" if postgres else ""})
    connection = server.get_new_connection(server.get_connection_params())
    if postgres:
        connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()
