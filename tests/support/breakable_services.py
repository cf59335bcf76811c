"""Real parts to break: servers, a Redis, a way to the database that can be cut, a listener that says nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.services import end, free_port, program, redis_answers, running
from tests.support.processes import ROOT, wait_for
from tests.support.threads import SECONDS

AGREED = "ecomrec_consent=yes"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1)"
# A page is not slower than this, whatever is broken: far less than what clients wait for a server that says nothing,
# and more than a page takes on a busy machine.
PATIENCE = 5.0


class Server:
    """A server process of the shop in `settings`."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.port = port
        self.process = process
        self.log = log

    def get(self, path: str, agent: str = BROWSER, cookie: str = AGREED) -> tuple[int, float]:
        """Status and seconds of one page, asked for by a new shopper; status 0 if the server broke off."""
        began = time.monotonic()
        connection = HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request("GET", path, headers={"User-Agent": agent, "Cookie": cookie})
            response = connection.getresponse()
            response.read()
            status = response.status
        except (OSError, HTTPException):
            status = 0
        finally:
            connection.close()
        return status, time.monotonic() - began

    def stop(self) -> None:
        """Ask it to end, as systemd does, and wait for that."""
        self.process.terminate()
        assert self.process.wait(SECONDS) is not None


def environment(database: str, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
        "DATABASE_URL": database,
        "CELERY_BROKER_URL": "",
        **more,
    }


@contextmanager
def serving(kind: list[str], given: dict[str, str], folder: Path) -> Iterator[Server]:
    """A server of one ``kind`` (GUNICORN or another), ready; it is ended at the latest when this is left."""
    port, log = free_port(), folder / f"server-{time.monotonic_ns()}.log"
    command = [sys.executable, *(part.format(port=port) for part in kind)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env={**given, "SHOP_VAR": str(folder)}, stdout=out, stderr=out)
    server = Server(port, process, log)
    try:
        # Said by a program that is no shopper and on a page that is no product: it leaves no trace.
        wait_for(lambda: server.get("/untracked/a/", agent=BOT)[0] == 200, log)
        yield server
    finally:
        end(process)


GUNICORN = ["-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--workers", "1", "example_shop.wsgi"]
THREADS = ["-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--workers", "1", "--threads", "4", "example_shop.wsgi"]
PRELOADED = ["-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--workers", "2", "--preload", "tests.faults.preloaded"]
UVICORN = ["-m", "uvicorn", "--port", "{port}", "example_shop.asgi:application"]


@contextmanager
def redis(folder: Path, *options: str) -> Iterator[int]:
    """The port of a Redis of our own."""
    port = free_port()
    command = [program("redis-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1"]
    command += ["--dir", str(folder), "--save", "", *options]
    with running(command, folder / "redis.log", lambda: redis_answers(port)):
        yield port


@contextmanager
def silent() -> Iterator[int]:
    """The port of a listener that takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield listener.getsockname()[1]


class Cable:
    """A way to a server that can be cut and mended; who uses it while it is cut is refused."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self.port = free_port()
        self._ends: list[socket.socket] = []
        self.mend()

    def mend(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def cut(self) -> None:
        for link in [self._listener, *self._ends]:
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()
        self._ends.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self._target)
                self._ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=[one, other], daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
