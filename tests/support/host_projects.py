"""The projects of tests/hosts, each a copy that runs in processes of its own."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from .processes import ROOT, ShopProcess

HOSTS = ROOT / "tests/hosts"
NAMES = ("bikes", "grocer", "bazaar")


class HostProject(ShopProcess):
    """Commands of a copy of one project.

    adapter: whether it has its hand-written one.
    """

    def __init__(self, name: str, folder: Path, database_url: str, *, adapter: bool = True) -> None:
        left_out = shutil.ignore_patterns("__pycache__", *([] if adapter else ["recommendations.py"]))
        self.project = Path(shutil.copytree(HOSTS / name, folder / name, ignore=left_out))
        super().__init__(
            folder,
            database_url,
            DJANGO_SETTINGS_MODULE=f"{name}.settings",
            PYTHONPATH=os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        )


_TAGS = re.compile(r"\{% (?:bought_with|upgrade_to|for_you|slot|ecomrec_\w+)[^%]*%\}")
_SETTING = re.compile(r"^ECOMREC = \{.*?\}\n", re.DOTALL | re.MULTILINE)


def bare_project(name: str, folder: Path, database_url: str) -> HostProject:
    """A copy that knows nothing of recommendations; REST framework stays only where the shop itself needs it."""
    shop = HostProject(name, folder, database_url, adapter=False)
    for path in shop.project.rglob("ecomrec"):
        shutil.rmtree(path)
    for path in shop.project.rglob("*.html"):
        path.write_text(_TAGS.sub("", path.read_text().replace("{% load ecomrec", "{% load")))
    needs_rest = any("rest_framework" in path.read_text() for path in shop.project.rglob("views.py"))
    dropped = re.compile(r"ecomrec|\btrack\." if needs_rest else r"ecomrec|\btrack\.|rest_framework")
    for path in set(shop.project.rglob("*.py")) - {shop.project / "journey.py"}:
        code = _SETTING.sub("", path.read_text())
        path.write_text("".join(line for line in code.splitlines(keepends=True) if not dropped.search(line)))
    return shop


def printed_steps(text: str) -> dict[str, list[str]]:
    """The numbered steps that ecomrec_quickstart prints, by the first word of their titles."""
    found = {}
    for title, body in re.findall(r"^\d+\. (.*)\n((?:(?:   .*)?\n)*)", text, re.MULTILINE):
        found[title.split()[0]] = [line[3:] for line in body.splitlines()]
    return found
