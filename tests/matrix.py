"""Runs the portable shop on the built wheel in several environments: ``python -m tests.matrix [--here] [cell …]``.

Without names, all cells; with ``--here``, those of the running Python alone. Each environment holds what a shop would
install. Interpreters are those of PATH, pyenv and uv, which fetches a missing one where it can.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.services import ROOT, SERVERS, ServiceError, redis

PORTABLE = ROOT / "tests/portable"
# Extras that bring the driver of a database.
DRIVERS = {"sqlite": (), "mariadb": ("mysql",), "postgres": ("postgres",)}
SECONDS = 600
# Cells that run side by side.
AT_ONCE = 2


class CellError(Exception):
    """A cell could not be run, or did not pass."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One environment.

    django: a series, such as "5.2", for its latest release, or one release, such as "5.2.0".
    extras: of the package, beside the one that brings the database's driver.
    shop: what the shop itself requires.
    lowest: whether the package's own dependencies are the oldest that it allows.
    """

    python: str
    django: str
    database: str
    extras: tuple[str, ...] = ("learn",)
    shop: tuple[str, ...] = ()
    lowest: bool = False

    @property
    def requirements(self) -> list[str]:
        exact = self.django.count(".") == 2
        return [f"django=={self.django}" if exact else f"django~={self.django}.0", *self.shop]

    @property
    def all_extras(self) -> tuple[str, ...]:
        return tuple(sorted({*self.extras, *DRIVERS[self.database]}))


# Each Python with each Django that supports it, and the databases spread over them.
CELLS = {
    # The oldest of everything; the shop has pinned Celery.
    "oldest": Cell(
        python="3.11",
        django="5.2.0",
        database="mariadb",
        extras=("celery", "learn", "redis"),
        shop=("celery==5.4.0", "kombu==5.4.2"),
        lowest=True,
    ),
    "lowest": Cell(
        python="3.11",
        django="5.2.0",
        database="sqlite",
        extras=("celery", "learn", "mysql", "postgres", "redis"),
        shop=("kombu==5.3.7",),
        lowest=True,
    ),
    "3.11-5.2": Cell(python="3.11", django="5.2", database="postgres"),
    "3.11-base": Cell(python="3.11", django="5.2", database="sqlite", extras=()),
    "3.12-5.2.0": Cell(python="3.12", django="5.2.0", database="postgres"),
    "3.12-5.2": Cell(python="3.12", django="5.2", database="mariadb", extras=("celery", "learn")),
    "base": Cell(python="3.12", django="6.0", database="sqlite", extras=()),
    "3.12-6.0": Cell(python="3.12", django="6.0", database="mariadb"),
    "3.12-6.1": Cell(python="3.12", django="6.1", database="sqlite"),
    "3.13-5.2.0": Cell(python="3.13", django="5.2.0", database="sqlite", extras=("celery", "learn")),
    "3.13-5.2": Cell(python="3.13", django="5.2", database="postgres"),
    "3.13-6.0": Cell(python="3.13", django="6.0", database="mariadb"),
    "3.13-base": Cell(python="3.13", django="6.1", database="sqlite", extras=()),
    "newest": Cell(
        python="3.13", django="6.1", database="postgres", extras=("celery", "learn", "redis"), shop=("celery[redis]",)
    ),
}


def main(arguments: list[str]) -> int:
    here = "--here" in arguments
    names = [name for name in arguments if name != "--here"] or list(CELLS)
    if unknown := set(names) - set(CELLS):
        print(f"No such cell: {', '.join(sorted(unknown))}. Cells: {', '.join(CELLS)}.", file=sys.stderr)
        return 2
    if here:
        names = [name for name in names if CELLS[name].python == "{}.{}".format(*sys.version_info)]
    with tempfile.TemporaryDirectory(prefix="ecomrec-matrix-", ignore_cleanup_errors=True) as folder:
        wheel = build_wheel(Path(folder))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            outcomes = list(pool.map(lambda name: outcome_of(name, wheel, Path(folder) / name), names))
    print_table(outcomes)
    failures = sum(not outcome.passed for outcome in outcomes)
    print(f"{len(outcomes) - failures} passed, {failures} failed")
    return 1 if failures or not outcomes else 0


@dataclass(frozen=True)
class Outcome:
    """What became of a cell."""

    cell: str
    passed: bool
    text: str
    seconds: float


def outcome_of(name: str, wheel: Path, folder: Path) -> Outcome:
    """Run a cell and say how it went, right away."""
    began = time.monotonic()
    try:
        passed, text = True, run_cell(name, wheel, folder)
    except (CellError, ServiceError) as error:
        passed, text = False, "FAILED"
        print(f"\nCell {name} failed.\n{error}\n", file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"Cell {name}: {text}", flush=True)
    return Outcome(name, passed, text, time.monotonic() - began)


def build_wheel(folder: Path) -> Path:
    _run([uv(), "build", "--quiet", "--wheel", "--out-dir", folder / "dist", ROOT])
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def run_cell(name: str, wheel: Path, folder: Path) -> str:
    """What was installed and run; raises CellError where a test fails."""
    cell = CELLS[name]
    python = make_environment(cell, wheel, folder)
    # Beside the package's own source, that would be imported instead of the wheel.
    shutil.copytree(PORTABLE, folder / "portable", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONSTARTUP"}}
    environment |= {
        "DJANGO_SETTINGS_MODULE": "portable.settings",
        "PORTABLE_EXTRAS": ",".join(cell.all_extras),
        "DATABASE_URL": "sqlite://",
        "CELERY_BROKER_URL": "",
    }
    with ExitStack() as services:
        if cell.database in SERVERS:
            # Neither the database that the suite tests on nor that of another cell.
            database = services.enter_context(SERVERS[cell.database]())
            environment["DATABASE_URL"] = database + re.sub(r"\W", "_", f"_{name}")
        if "redis" in cell.extras:
            environment["CELERY_BROKER_URL"] = services.enter_context(redis())
        # Any option -W keeps Django's test runner from replacing the filters of the settings.
        test = [python, "-W", "default", "-m", "django", "test", "--noinput", "portable"]
        output = _run(test, cwd=folder, environment=environment)
    versions = _run([python, "-c", VERSIONS], cwd=folder).strip()
    (ran,) = [line for line in output.splitlines() if line.startswith("Ran ")]
    return f"{versions}: {ran}"


VERSIONS = """
import platform
from importlib.metadata import PackageNotFoundError, version
found = [f"Python {platform.python_version()}"]
for name in ("Django", "djangorestframework", "celery", "numpy", "duckdb", "scikit-learn"):
    try:
        found.append(f"{name} {version(name)}")
    except PackageNotFoundError:
        pass
print(", ".join(found))
"""


def make_environment(cell: Cell, wheel: Path, folder: Path) -> Path:
    """The interpreter of a new virtual environment with the wheel and what it depends on."""
    place = folder / "venv"
    _run([uv(), "venv", "--quiet", "--python", find_python(cell.python), place])
    python = place / "bin/python"
    install = [uv(), "pip", "install", "--quiet", "--python", python, *cell.requirements]
    extras = cell.all_extras
    if cell.lowest:
        # What the project asks for is "direct" where it is named, not where a wheel names it.
        options = [option for extra in extras for option in ("--extra", extra)]
        _run([*install, "--resolution", "lowest-direct", "--requirements", ROOT / "pyproject.toml", *options])
        _run([*install[: -len(cell.requirements)], "--no-deps", wheel])
    else:
        _run([*install, f"ecomrec-django[{','.join(extras)}] @ {wheel.as_uri()}" if extras else wheel])
    return python


def find_python(version: str) -> str:
    """An interpreter of this version. Raises CellError, saying what to install, where there is none."""
    candidates = [sys.executable, shutil.which(f"python{version}")]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates += sorted(map(str, pyenv.glob(f"{version}.*/bin/python")))
    for candidate in filter(None, candidates):
        told = subprocess.run(
            [candidate, "-c", "import sys, venv; print('{}.{}'.format(*sys.version_info))"],
            capture_output=True,
            text=True,
            check=False,
        )
        if told.returncode == 0 and told.stdout.strip() == version:
            return candidate
    fetched = subprocess.run([uv(), "python", "install", "--quiet", version], capture_output=True, check=False)
    if fetched.returncode == 0:
        return version
    raise CellError(
        f"There is no Python {version}. Install it (pyenv install {version}, or python{version} and "
        f"python{version}-venv of your system), or test the running Python alone: make test PYTHONS=here."
    )


def uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    path = str(beside) if beside.exists() else shutil.which("uv")
    if path is None:
        raise SystemExit("uv is missing: pip install uv")
    return path


def print_table(outcomes: list[Outcome]) -> None:
    print(f"\n{'cell':<11} {'Python':<6} {'Django':<6} {'database':<9} {'extras':<38} {'seconds':>7}  outcome")
    for outcome in outcomes:
        cell = CELLS[outcome.cell]
        extras = ", ".join(cell.all_extras) or "none"
        print(
            f"{outcome.cell:<11} {cell.python:<6} {cell.django:<6} {cell.database:<9} {extras:<38} "
            f"{outcome.seconds:>7.0f}  {outcome.text}",
        )


def _run(command: list[object], *, cwd: Path | None = None, environment: dict[str, str] | None = None) -> str:
    """What a program says. Raises CellError with all of it if it fails."""
    try:
        run = subprocess.run(
            list(map(str, command)),
            cwd=cwd,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CellError(f"{' '.join(map(str, command))} took more than {SECONDS} seconds:\n{error.output}") from None
    if run.returncode:
        raise CellError(f"{' '.join(map(str, command))}:\n{run.stdout}")
    return run.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
