"""Runs pytest with the services that it needs: ``python -m tests.services {sqlite,mariadb} [pytest arguments]``.

``mariadb`` takes the MariaDB on MARIADB_PORT (3306) and the Redis on REDIS_PORT (6379) of this machine if they answer
without a password; otherwise it starts its own in a temporary folder, and stops them at the end.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

START_SECONDS = 60
ROOT = Path(__file__).resolve().parent.parent


class ServiceError(Exception):
    """A service neither answers nor can be started."""


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in {"sqlite", "mariadb"}:
        print(__doc__, file=sys.stderr)
        return 2
    database, *pytest = arguments
    environment = {**os.environ, "DATABASE_URL": "sqlite:///test.sqlite3", "CELERY_BROKER_URL": ""}
    with ExitStack() as running:
        try:
            if database == "mariadb":
                environment["DATABASE_URL"] = running.enter_context(mariadb())
                environment["CELERY_BROKER_URL"] = running.enter_context(redis())
        except ServiceError as error:
            print(f"{database}: {error}", file=sys.stderr)
            return 1
        print(f"Testing on {database}", flush=True)
        return subprocess.run([sys.executable, "-m", "pytest", *pytest], env=environment, check=False).returncode


@contextmanager
def mariadb() -> Iterator[str]:
    """A DATABASE_URL whose user may create databases."""
    # One name per checkout: a run leaves another checkout's databases alone, and reuses its own after a crash.
    name = f"ecomrec_{zlib.crc32(bytes(ROOT)):08x}"
    port = int(os.environ.get("MARIADB_PORT", "3306"))
    if _mariadb_answers(port):
        yield f"mysql://root@127.0.0.1:{port}/{name}"
        return
    server = _program("mariadbd", "mariadb-server")
    install = _program("mariadb-install-db", "mariadb-server")
    # A server refuses to run as root; its package made this user.
    user = ["--user=mysql"] if os.geteuid() == 0 else []
    with _folder("mysql") as folder:
        data, socket_file, port = folder / "data", folder / "socket", _free_port()
        log = folder / "log"
        options = ["--no-defaults", f"--datadir={data}", *user]
        with log.open("wb") as out:
            made = subprocess.run(
                [install, *options, "--auth-root-authentication-method=normal", "--skip-test-db"],
                stdout=out,
                stderr=out,
                check=False,
            )
        if made.returncode:
            raise ServiceError(f"mariadb-install-db failed:\n{log.read_text(errors='replace')[-2000:]}")
        command = [server, *options, "--bind-address=127.0.0.1", f"--port={port}", f"--socket={socket_file}"]
        # Test data need not survive a power cut.
        command += ["--skip-log-bin", "--innodb-flush-log-at-trx-commit=0", "--character-set-server=utf8mb4"]
        with _process(command, log, lambda: _mariadb_answers(port)):
            yield f"mysql://root@127.0.0.1:{port}/{name}"


@contextmanager
def redis() -> Iterator[str]:
    """A CELERY_BROKER_URL."""
    port = int(os.environ.get("REDIS_PORT", "6379"))
    if _redis_answers(port):
        yield f"redis://127.0.0.1:{port}/0"
        return
    server = _program("redis-server", "redis-server")
    with _folder("redis") as folder:
        port = _free_port()
        command = [server, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
        with _process(command, folder / "log", lambda: _redis_answers(port)):
            yield f"redis://127.0.0.1:{port}/0"


def _mariadb_answers(port: int) -> bool:
    import MySQLdb

    try:
        MySQLdb.connect(host="127.0.0.1", port=port, user="root", connect_timeout=5).close()
    except MySQLdb.OperationalError:
        return False
    return True


def _redis_answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _program(name: str, package: str) -> str:
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        raise ServiceError(f"no server answers and {name} is not installed. On Debian: apt-get install {package}")
    return path


@contextmanager
def _folder(user: str) -> Iterator[Path]:
    """A temporary folder, owned by ``user`` where this process may give it away."""
    with tempfile.TemporaryDirectory(prefix="ecomrec-", ignore_cleanup_errors=True) as name:
        if os.geteuid() == 0 and user == "mysql":
            shutil.chown(name, user)
        yield Path(name)


@contextmanager
def _process(command: list[str], log: Path, answers: Callable[[], bool]) -> Iterator[None]:
    with log.open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        limit = time.monotonic() + START_SECONDS
        while not answers():
            if process.poll() is not None or time.monotonic() > limit:
                raise ServiceError(f"{command[0]} did not start:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
