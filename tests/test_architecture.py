"""Keeps the plan of the house: who may import whom, and what a web process never loads."""

import ast
import sys
from collections import defaultdict
from functools import cache, wraps
from graphlib import TopologicalSorter
from pathlib import Path

import ecomrec_django
from tests.support.processes import WORKER_LIBRARIES, libraries_loaded_by

PACKAGE = Path(ecomrec_django.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "migrations" not in path.parts)
# From the bottom up: a room imports from lower floors, and two rooms never import each other.
FLOORS = [
    {"errors", "conf", "failures", "db"},
    {"learning", "models"},
    {"strategies", "catalog", "artifacts", "locks", "history"},
    {"privacy", "merchandising"},
    {"pipeline", "tracking"},
    {"serving", "contrib"},
    {"insights", "templatetags", "checks", "doctor", "testing"},
    {"api", "admin", "tasks", "apps"},
    {"management", "urls"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# Siblings that do not know each other, though both lie on one floor.
STRANGERS = [{"pipeline", "tracking"}, {"serving", "pipeline"}]
# What a web process runs of learning/, with numpy alone.
WEB_HALF = ("learning/ranking/", "learning/sequences/gru.py")
TRAINING_ROOMS = ("ranker_training", "statistics", "similarity", "segmentation", "images", "evaluation", "distributed")
WEB_FRAMEWORKS = {"django", "rest_framework", "celery"}
UNSAFE_FORMATS = {"pickle", "cPickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def every_module(test):
    """A test of each module, as one: a thousand small tests would take a minute."""

    @wraps(test)
    def of_all_modules():
        failures = {}
        for path in MODULES:
            try:
                test(path)
            except AssertionError as failure:
                failures[name_of(path)] = str(failure)
        assert failures == {}

    del of_all_modules.__wrapped__
    return of_all_modules


@cache
def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def room_of(path: Path) -> str:
    """``serving/guard.py`` -> "serving"; the package's own ``__init__.py`` -> ""."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def imported(path: Path, *, type_checking: bool = True) -> set[str]:
    """Absolute names of the modules that a file imports anywhere in it; ``type_checking``: also for types alone."""
    package = ("ecomrec_django", *path.relative_to(PACKAGE).parts[:-1])
    found = set()
    body = syntax(path).body
    if not type_checking:
        body = [node for node in body if ast.unparse(getattr(node, "test", node)) != "TYPE_CHECKING"]
    for node in (each for statement in body for each in ast.walk(statement)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def inside(path: Path) -> set[str]:
    """Those of this package."""
    return {name for name in imported(path) if name.startswith("ecomrec_django.")}


def rooms_imported(path: Path) -> set[str]:
    return {name.split(".")[1] for name in inside(path)} & set(FLOOR_OF)


@every_module
def test_every_module_lies_in_a_room_of_the_plan(path):
    assert room_of(path) in FLOOR_OF or name_of(path) == "__init__.py"


@every_module
def test_a_room_imports_only_from_its_own_floor_and_below(path):
    floor = FLOOR_OF.get(room_of(path), 0)
    assert not {room for room in rooms_imported(path) if FLOOR_OF[room] > floor}


def room_graph() -> dict[str, set[str]]:
    graph: dict[str, set[str]] = defaultdict(set)
    for path in MODULES:
        graph[room_of(path)] |= rooms_imported(path) - {room_of(path)}
    return graph


def module_of(path: Path) -> str:
    parts = ("ecomrec_django", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_no_two_rooms_import_each_other():
    TopologicalSorter(room_graph()).prepare()


def test_siblings_do_not_know_each_other():
    graph = room_graph()
    assert not [(room, other) for rooms in STRANGERS for room in rooms for other in rooms if other in graph[room]]


def test_no_two_files_import_each_other():
    names = {module_of(path) for path in MODULES}
    graph = {module_of(path): (imported(path) & names) - {module_of(path)} for path in MODULES}
    TopologicalSorter(graph).prepare()


@every_module
def test_the_half_that_a_web_process_runs_imports_numpy_alone(path):
    if name_of(path).startswith(WEB_HALF):
        libraries = {name.split(".")[0] for name in imported(path, type_checking=False)}
        assert libraries <= {"numpy", "ecomrec_django", *sys.stdlib_module_names}
        assert {name.split(".")[1] for name in inside(path)} <= {"learning", "errors"}
        assert not {name for name in inside(path) if name.split(".")[2:3] in [[room] for room in TRAINING_ROOMS]}


def test_one_class_name_means_one_thing():
    places = defaultdict(list)
    for path in MODULES:
        for node in syntax(path).body:
            if isinstance(node, ast.ClassDef) and node.name not in {"Command"}:
                places[node.name].append(name_of(path))
    assert not {name: where for name, where in places.items() if len(where) > 1}


def fields_of(node: ast.ClassDef) -> int:
    return sum(isinstance(each, ast.AnnAssign) and "ClassVar" not in ast.unparse(each.annotation) for each in node.body)


RECORDS = {
    node.name: node
    for path in MODULES
    for node in ast.walk(syntax(path))
    if isinstance(node, ast.ClassDef) and fields_of(node) > 4
}


@every_module
def test_records_of_more_than_four_fields_are_built_by_keyword(path):
    tree = syntax(path)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name in RECORDS:
            decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
            dataclasses = [text for text in decorators if text.startswith("dataclass")]
            assert all("kw_only=True" in text for text in dataclasses), node.name
        if isinstance(node, ast.Call) and ast.unparse(node.func) in RECORDS:
            assert not node.args, f"line {node.lineno}: {ast.unparse(node.func)}"


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
        calls = {node.attr for node in ast.walk(syntax(path)) if isinstance(node, ast.Attribute)}
        assert not calls & {"delay", "apply_async", "send_task"}


@every_module
def test_a_module_is_short(path):
    assert len(path.read_text().splitlines()) <= 400


PAGE = """
import django
django.setup()
from django.core.management import call_command
from django.test import Client
from ecomrec_django.testing import publish_offers
from ecomrec_django.tracking.visitors import sign_cookie
from example_shop.models import Product
call_command("migrate", verbosity=0)
for sku in "AB":
    Product.objects.create(sku=sku, title=f"Product {sku}", price=1)
publish_offers({"bought_with": {"A": ["B"]}})
client = Client()
page = client.get("/product/A/")
assert "Product B" in page.content.decode(), page.content.decode()
assert client.get("/ecomrec/api/bought-with/", {"item": "A"}).status_code == 200
assert client.get("/").status_code == 200
client.get("/admin/login/")
client.cookies["ecomrec_visitor"] = sign_cookie("a" * 32)
assert client.get("/ecomrec/api/me/").getvalue()
assert client.delete("/ecomrec/api/me/").status_code == 200
"""


def test_a_web_process_loads_no_training_library(tmp_path):
    environment = {
        "DJANGO_SETTINGS_MODULE": "example_shop.settings",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'page.sqlite3'}",
        "SHOP_VAR": str(tmp_path),
    }
    loaded = libraries_loaded_by(PAGE, environment)
    assert "ecomrec_django" in loaded
    assert not loaded & WORKER_LIBRARIES
