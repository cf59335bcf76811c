"""The wheel holds what an installed package needs, and works where nothing else of this repository is."""

import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.processes import WORKER_LIBRARIES

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ecomrec_django"
# What has to come along beside Python code.
DATA = [
    path
    for folder in ("templates", "static", "locale", "migrations", "learning/statistics/sql")
    for path in (PACKAGE / folder).rglob("*")
    if path.is_file() and path.suffix != ".pyc" and "__pycache__" not in path.parts
]

USE = """
import django
from django.conf import settings
from ecomrec_django.catalog.adapter import Catalog

class Accounts(Catalog):
    model, title, price_field, category = "auth.User", "username", None, None

settings.configure(
    BASE_DIR={folder!r},
    SECRET_KEY="x",
    USE_TZ=True,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework", "ecomrec_django"],
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
    ECOMREC={{"CATALOG": Accounts}},
    ROOT_URLCONF="ecomrec_django.urls",
)
django.setup()
from django.core.management import call_command
from django.template.loader import get_template
import ecomrec_django
call_command("check")
call_command("migrate", verbosity=0)
call_command("makemigrations", check=True, dry_run=True, verbosity=0)
print(ecomrec_django.__file__)
"""

# The settings of USE in a process that has what ``dependencies`` names, and none of what the extras do.
BASE = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Missing())
{use}
from importlib import import_module
import_module("ecomrec_django.urls")
import_module("ecomrec_django.tasks")
print(*{missing!r} & sys.modules.keys())
"""
EXTRAS = WORKER_LIBRARIES | {
    "MySQLdb",
    "PIL",
    "celery",
    "joblib",
    "kombu",
    "pandas",
    "psycopg",
    "redis",
    "threadpoolctl",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    run = subprocess.run(build, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_every_file_of_the_package(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {path.relative_to(ROOT).as_posix() for path in [*PACKAGE.rglob("*.py"), *DATA]} <= names
    for folder in ("templates", "static", "locale", "migrations", "learning/statistics/sql"):
        assert any(name.startswith(f"ecomrec_django/{folder}/") for name in names), folder


def test_the_wheel_holds_nothing_else(wheel):
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"ecomrec_django"}


def test_the_wheel_says_what_it_needs(wheel):
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read(next(name for name in archive.namelist() if name.endswith("METADATA"))).decode()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extra in project["optional-dependencies"]:
        assert f"Provides-Extra: {extra}" in metadata
    assert "License-Expression: BSD-3-Clause" in metadata


def test_the_installed_wheel_sets_up_and_migrates(wheel, tmp_path):
    place = tmp_path / "venv"
    venv.create(place, with_pip=False)
    python = str(place / ("Scripts" if os.name == "nt" else "bin") / "python")
    paths = sysconfig.get_paths(vars={"base": str(place), "platbase": str(place)})
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(list(map(str, install)), check=True)
    # The dependencies are those of this environment; what works without extras is tested below.
    Path(paths["purelib"], "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    script = USE.format(folder=str(tmp_path))
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    run = subprocess.run(
        [python, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip().splitlines()[-1].startswith(str(place))


def test_without_extras_it_sets_up_migrates_and_answers_urls(tmp_path):
    script = BASE.format(missing=EXTRAS, use=USE.format(folder=str(tmp_path)))
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == ""
