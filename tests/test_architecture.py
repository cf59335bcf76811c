"""Keeps the plan of the house: who may import whom, and what a web process never loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ecomrec_django

PACKAGE = Path(ecomrec_django.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "migrations" not in path.parts)
# A room imports from its own floor and from those below.
FLOORS = [
    {"learning", "conf", "errors", ""},
    {"strategies", "models"},
    {"pipeline", "catalog", "privacy"},
    {"tracking", "serving"},
    {"contrib", "tasks", "management", "insights", "templatetags"},
    {"admin", "api"},
    {"apps", "checks", "urls", "testing"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
WEB_FRAMEWORKS = {"django", "rest_framework", "celery"}
WORKER_LIBRARIES = {"tensorflow", "keras", "duckdb", "sklearn", "pyarrow", "scipy"}
UNSAFE_FORMATS = {"pickle", "cPickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def every_module(test):
    return pytest.mark.parametrize("path", MODULES, ids=name_of)(test)


def room_of(path: Path) -> str:
    """``serving/guard.py`` -> "serving"; the package's own ``__init__.py`` -> ""."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def imported(path: Path) -> set[str]:
    """Absolute names of the modules that a file imports anywhere in it."""
    package = ("ecomrec_django", *path.relative_to(PACKAGE).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def rooms_imported(path: Path) -> set[str]:
    inside = {name.split(".")[1] for name in imported(path) if name.startswith("ecomrec_django.")}
    return {room for room in inside if room in FLOOR_OF}


@every_module
def test_every_module_lies_in_a_room_of_the_plan(path):
    assert room_of(path) in FLOOR_OF


@every_module
def test_a_room_imports_only_from_its_own_floor_and_below(path):
    higher = {room for room in rooms_imported(path) if FLOOR_OF[room] > FLOOR_OF[room_of(path)]}
    assert not higher


@every_module
def test_learners_and_strategies_know_no_web_framework(path):
    if room_of(path) in {"learning", "strategies"}:
        assert not {name.split(".")[0] for name in imported(path)} & WEB_FRAMEWORKS
        assert not rooms_imported(path) - {"learning", "strategies", "errors"}


@every_module
def test_nothing_is_stored_in_a_format_that_runs_code(path):
    assert not {name.split(".")[0] for name in imported(path)} & UNSAFE_FORMATS


@every_module
def test_no_task_is_queued_outside_of_tasks(path):
    if room_of(path) != "tasks":
        calls = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        assert not calls & {"delay", "apply_async", "send_task"}


@every_module
def test_a_module_is_short(path):
    assert len(path.read_text().splitlines()) <= 400


PAGE = """
import sys, django
django.setup()
from django.core.management import call_command
from django.test import Client
from ecomrec_django.testing import publish_offers
from example_shop.models import Product
call_command("migrate", verbosity=0)
for sku in "AB":
    Product.objects.create(sku=sku, title=f"Product {sku}", price=1)
publish_offers({"bought_with": {"A": ["B"]}})
client = Client()
page = client.get("/product/A/")
assert "Product B" in page.content.decode(), page.content.decode()
assert client.get("/ecomrec/api/bought-with/", {"item": "A"}).status_code == 200
client.get("/admin/login/")
client.cookies["ecomrec_visitor"] = "a" * 32
assert client.get("/ecomrec/api/me/").getvalue()
assert client.delete("/ecomrec/api/me/").status_code == 200
print(*{name.split(".")[0] for name in sys.modules})
"""


def test_a_web_process_loads_no_training_library(tmp_path):
    environment = {
        "DJANGO_SETTINGS_MODULE": "example_shop.settings",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'page.sqlite3'}",
        "SHOP_VAR": str(tmp_path),
    }
    run = subprocess.run(
        [sys.executable, "-c", PAGE],
        env=environment,
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    loaded = set(run.stdout.split())
    assert "ecomrec_django" in loaded
    assert not loaded & WORKER_LIBRARIES
