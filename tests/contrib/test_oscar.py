"""Runs the tests of a real django-oscar shop, which needs settings of its own, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SHOP = Path(__file__).parent / "oscar_shop"
ROOT = SHOP.parents[2]


@pytest.mark.once
def test_a_real_oscar_shop_is_tracked_learned_from_and_shown_offers(tmp_path):
    database = f"sqlite:///{tmp_path / 'oscar.sqlite3'}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "DJANGO"))}
    # Its tests use no other plugin, and to load them all takes long.
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "pytest_django.plugin"}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", SHOP / "pytest.ini", "--noconftest", SHOP / "story.py"],
        cwd=ROOT,
        env={**environment, "DATABASE_URL": database, "OSCAR_VAR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    assert "passed" in run.stdout
