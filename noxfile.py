"""The matrix of CI, to be run at home: ``nox -l`` lists the sessions, ``nox -s`` with a listed name runs one."""

from __future__ import annotations

import nox

nox.options.sessions = ["lint", "matrix"]
nox.options.reuse_existing_virtualenvs = True

PYTHONS = ["3.11", "3.12", "3.13"]
DJANGOS = ["5.2", "6.0", "6.1"]
DATABASES = ["sqlite", "mariadb", "postgres"]
DRIVERS = {"sqlite": "", "mariadb": ",mysql", "postgres": ",postgres"}
# Django 6 needs Python 3.12.
MATRIX = [
    (python, django, database)
    for python in PYTHONS
    for django in DJANGOS
    for database in DATABASES
    if (python, django.split(".")[0]) != ("3.11", "6")
]


@nox.session
@nox.parametrize("python,django,database", MATRIX)
def tests(session: nox.Session, django: str, database: str) -> None:
    """The suite. It needs the programs that the Makefile lists under PACKAGES, on ``sqlite`` Chromium alone."""
    session.install("--editable", f".[dev{DRIVERS[database]}]")
    session.install(f"django~={django}.0")
    session.run("python", "-m", "tests.services", database, "-n", "2", *session.posargs)


@nox.session(python="3.13")
def lint(session: nox.Session) -> None:
    """Style, types, templates, migrations: the commands of ``make lint``."""
    session.install("--editable", ".[dev]")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("djlint", "--quiet", "--lint", "ecomrec_django", "example_shop")
    session.run("python", "manage.py", "makemigrations", "--check", "--dry-run")


@nox.session
def matrix(session: nox.Session) -> None:
    """A small shop on the built wheel, with each supported Python and Django; or the cells named after ``--``."""
    session.install("uv", "--editable", ".[mysql,postgres]")
    session.run("python", "-m", "tests.matrix", *session.posargs)
