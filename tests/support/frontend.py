"""The front ends of the test hosts: npm packages, the built React page, and a server for it on an origin of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "tests/hosts/headless/frontend"
LOCK = "package-lock.json"


def installed_packages() -> Path:
    """A folder with the packages of the lock file in ``node_modules``; installed once for each lock file."""
    npm = shutil.which("npm")
    assert npm, "The tests of front ends need npm. On Debian: apt-get install nodejs npm"
    folder = ROOT / "var/npm" / sha256((SOURCE / LOCK).read_bytes()).hexdigest()[:16]
    if not folder.exists():
        # Moved to its place when complete, because several workers may install at the same time.
        partial_folder = folder.with_name(f"{folder.name}.{os.getpid()}")
        partial_folder.mkdir(parents=True)
        for name in ("package.json", LOCK):
            shutil.copy(SOURCE / name, partial_folder)
        run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], partial_folder)
        with suppress(OSError):
            partial_folder.rename(folder)
        shutil.rmtree(partial_folder, ignore_errors=True)
    return folder


def built_page(packages: Path, folder: Path) -> Path:
    """The React page as it would be deployed, in ``folder``."""
    shutil.copytree(SOURCE / "src", folder / "src")
    for name in ("index.html", "vite.config.js", "package.json"):
        shutil.copy(SOURCE / name, folder)
    (folder / "node_modules").symlink_to(packages / "node_modules")
    run([str(packages / "node_modules/.bin/vite"), "build", "--emptyOutDir"], folder)
    return folder / "dist"


def run(command: list[str], folder: Path) -> None:
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert process.returncode == 0, f"{command}:\n{process.stdout}\n{process.stderr}"


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Nobody reads it."""


@contextmanager
def static_server(folder: Path) -> Iterator[str]:
    """The origin at which the files of ``folder`` are served: another site than 127.0.0.1, to a browser."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://localhost:{server.server_address[1]}"
        server.shutdown()
        thread.join()
