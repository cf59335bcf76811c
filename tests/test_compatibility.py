"""The versions that the project claims are those that it tests."""

import ast
import re
import tomllib
from pathlib import Path

from tests.matrix import CELLS

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGE = (ROOT / "docs/compatibility.md").read_text()
CI = (ROOT / ".github/workflows/ci.yml").read_text()
# Extras for those who work on the package.
OWN_EXTRAS = {"all", "bench", "demo", "dev"}


def table(heading: str) -> list[list[str]]:
    """The rows of the table below a heading of the page, its first row included."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return [row for row in rows if set("".join(row)) != {"-"}]


def series(django: str) -> str:
    return ".".join(django.split(".")[:2])


TESTED = {(cell.python, series(cell.django)) for cell in CELLS.values()}


def test_the_table_of_python_and_django_is_what_is_tested():
    (_, *djangos), *rows = table("Python and Django")
    claimed = {
        (python.removeprefix("Python "), django.removeprefix("Django "))
        for python, *answers in rows
        for django, answer in zip(djangos, answers, strict=True)
        if answer == "yes"
    }
    assert claimed == TESTED


def test_ci_covers_every_python_with_the_oldest_django():
    pythons = {cell.python for cell in CELLS.values()}
    for django in ("5.2.0", "5.2"):
        assert {cell.python for cell in CELLS.values() if cell.django == django} == pythons


def test_the_classifiers_name_the_versions_that_are_tested():
    found = re.findall(r"(Python|Django) :: (\d\.\d+)$", "\n".join(PROJECT["classifiers"]), re.MULTILINE)
    assert set(found) == {pair for python, django in TESTED for pair in (("Python", python), ("Django", django))}
    assert PROJECT["requires-python"] == f">={min((cell.python for cell in CELLS.values()), key=version_key)}"


def version_key(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def test_nox_and_ci_run_the_suite_with_these_versions():
    tree = ast.parse((ROOT / "noxfile.py").read_text())
    values = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in {"PYTHONS", "DJANGOS", "DATABASES"}
    }
    tested = (
        {python for python, _ in TESTED},
        {django for _, django in TESTED},
        {cell.database for cell in CELLS.values()},
    )
    assert tuple(set(values[name]) for name in ("PYTHONS", "DJANGOS", "DATABASES")) == tested
    lists = [re.search(rf"^ +{name}: \[(.+)\]$", CI, re.MULTILINE)[1] for name in ("python", "django", "database")]
    assert tuple({name.strip(' "') for name in names.split(",")} for names in lists) == tested


def test_the_table_of_packages_names_every_dependency_and_its_lowest_version():
    groups = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
    needed = {
        (re.match(r"[\w-]+", requirement)[0], requirement.partition(">=")[2], f"`[{extra}]`" if extra else "")
        for extra, requirements in groups.items()
        if extra not in OWN_EXTRAS
        for requirement in requirements
        if not requirement.startswith(PROJECT["name"])
    }
    assert {tuple(row) for row in table("Packages")[1:]} == needed


def test_every_extra_is_in_the_table_of_the_installation():
    page = (ROOT / "docs/install.md").read_text().split("| extra |")[1].split("\n\n")[0]
    listed = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert set(listed) == PROJECT["optional-dependencies"].keys() - OWN_EXTRAS


def test_every_environment_is_described_as_it_is():
    described = {name: rest for name, *rest in table("How it is tested")[1:]}
    assert list(described) == list(CELLS)
    for name, cell in CELLS.items():
        *rest, packages = described[name]
        assert rest == [cell.python, cell.django, cell.database, ", ".join(cell.extras) or "none"], name
        assert packages.startswith("lowest" if cell.lowest else "latest"), name
