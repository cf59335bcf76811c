"""Runs pytest with the services that it needs: ``python -m tests.services {sqlite,mariadb,postgres} [arguments]``.

``mariadb`` takes the MariaDB on MARIADB_PORT (3306), ``postgres`` the PostgreSQL on POSTGRES_PORT (5432), and both the
Redis on REDIS_PORT (6379) of this machine if they answer without a password; otherwise it starts its own in a temporary
folder, in memory if there is room, and stops them at the end.
"""

from __future__ import annotations

import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

START_SECONDS = 120
MEMORY = Path("/dev/shm")
MEMORY_BYTES = 4 << 30
ROOT = Path(__file__).resolve().parent.parent
# One name per checkout: a run leaves another checkout's databases alone, and reuses its own after a crash.
DATABASE = f"ecomrec_{zlib.crc32(bytes(ROOT)):08x}"


class ServiceError(Exception):
    """A service neither answers nor can be started."""


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in {"sqlite", *SERVERS}:
        print(__doc__, file=sys.stderr)
        return 2
    database, *pytest = arguments
    environment = {**os.environ, "DATABASE_URL": "sqlite:///test.sqlite3", "CELERY_BROKER_URL": ""}
    began = time.monotonic()
    with ExitStack() as services:
        try:
            if database in SERVERS:
                environment["DATABASE_URL"] = services.enter_context(SERVERS[database]())
                environment["CELERY_BROKER_URL"] = services.enter_context(redis())
        except ServiceError as error:
            print(f"{database}: {error}", file=sys.stderr)
            return 1
        print(f"Testing on {database}", flush=True)
        code = subprocess.run([sys.executable, "-m", "pytest", *pytest], env=environment, check=False).returncode
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    print(f"Tested on {database} in {minutes} min {seconds} s", flush=True)
    return code


@contextmanager
def mariadb() -> Iterator[str]:
    """A DATABASE_URL whose user may create databases."""
    port = int(os.environ.get("MARIADB_PORT", "3306"))
    if mariadb_answers(port):
        yield f"mysql://root@127.0.0.1:{port}/{DATABASE}"
        return
    server = program("mariadbd", "mariadb-server")
    install = program("mariadb-install-db", "mariadb-server")
    # A server refuses to run as root; its package made this user.
    user = "mysql" if os.geteuid() == 0 else None
    with _folder(user) as folder:
        data, socket_file, port = folder / "data", folder / "socket", free_port()
        log = folder / "log"
        options = ["--no-defaults", f"--datadir={data}", *([f"--user={user}"] if user else [])]
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
        with running(command, log, lambda: mariadb_answers(port)):
            yield f"mysql://root@127.0.0.1:{port}/{DATABASE}"


@contextmanager
def postgres() -> Iterator[str]:
    """A DATABASE_URL whose user may create databases."""
    port = int(os.environ.get("POSTGRES_PORT", "5432"))
    if postgres_answers(port):
        yield f"postgres://postgres@127.0.0.1:{port}/{DATABASE}"
        return
    server, install = postgres_program("postgres"), postgres_program("initdb")
    # A server refuses to run as root; its package made a user for it.
    user = unprivileged_user("postgres") if os.geteuid() == 0 else None
    with _folder(user) as folder:
        data, port, log = folder / "data", free_port(), folder / "log"
        with log.open("wb") as out:
            made = subprocess.run(
                [install, f"--pgdata={data}", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"],
                stdout=out,
                stderr=out,
                check=False,
                **_as_user(user),
            )
        if made.returncode:
            raise ServiceError(f"initdb failed:\n{log.read_text(errors='replace')[-2000:]}")
        command = [server, "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", str(folder)]
        # Test data need not survive a power cut.
        command += ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
        # On SIGTERM it would wait for its clients.
        with running(command, log, lambda: postgres_answers(port), user=user, stop=signal.SIGINT):
            yield f"postgres://postgres@127.0.0.1:{port}/{DATABASE}"


@contextmanager
def redis() -> Iterator[str]:
    """A CELERY_BROKER_URL."""
    port = int(os.environ.get("REDIS_PORT", "6379"))
    if redis_answers(port):
        yield f"redis://127.0.0.1:{port}/0"
        return
    server = program("redis-server", "redis-server")
    with _folder() as folder:
        port = free_port()
        command = [server, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
        with running(command, folder / "log", lambda: redis_answers(port)):
            yield f"redis://127.0.0.1:{port}/0"


def mariadb_answers(port: int) -> bool:
    import MySQLdb

    try:
        MySQLdb.connect(host="127.0.0.1", port=port, user="root", connect_timeout=5).close()
    except MySQLdb.OperationalError:
        return False
    return True


def postgres_answers(port: int) -> bool:
    import psycopg

    try:
        psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres", connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def redis_answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def program(name: str, package: str) -> str:
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        raise ServiceError(f"no server answers and {name} is not installed. On Debian: apt-get install {package}")
    return path


def postgres_program(name: str) -> str:
    """The newest of Debian's versions, which lie outside of PATH; else what PATH has."""
    versions = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    newest = max(versions, key=lambda path: float(re.sub(r"[^\d.]", "", path.parts[4]) or 0), default=None)
    return str(newest) if newest else program(name, "postgresql")


def unprivileged_user(name: str) -> str:
    """The user ``name`` if this machine has one, else nobody."""
    try:
        return pwd.getpwnam(name).pw_name
    except KeyError:
        return "nobody"


def _as_user(user: str | None) -> dict[str, Any]:
    """Arguments of subprocess by which a program runs as ``user``; None: as this process."""
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}


@contextmanager
def _folder(user: str | None = None) -> Iterator[Path]:
    """A temporary folder, given to ``user``; in memory, where tables are made and emptied at once, if it has room."""
    roomy = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES
    place = MEMORY if roomy else None
    with tempfile.TemporaryDirectory(prefix="ecomrec-", dir=place, ignore_cleanup_errors=True) as name:
        if user:
            shutil.chown(name, user)
        yield Path(name)


@contextmanager
def running(
    command: list[str],
    log: Path,
    answers: Callable[[], bool],
    *,
    user: str | None = None,
    stop: signal.Signals = signal.SIGTERM,
) -> Iterator[None]:
    """A server process, once it answers; it is ended at the end of the block."""
    with log.open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, **_as_user(user))
    try:
        limit = time.monotonic() + START_SECONDS
        while not answers():
            if process.poll() is not None or time.monotonic() > limit:
                raise ServiceError(f"{command[0]} did not start:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.2)
        yield
    finally:
        end(process, stop)


def end(process: subprocess.Popen[bytes], stop: signal.Signals = signal.SIGTERM) -> None:
    """Ask a process to end, and make it, if it does not within a while."""
    process.send_signal(stop)
    try:
        process.wait(START_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """A port that nothing listens on, below those that the system gives to connections of its own choice."""
    # Whoever looks at the same time looks elsewhere, whatever a test has seeded.
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ServiceError("no port is free")


SERVERS = {"mariadb": mariadb, "postgres": postgres}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
