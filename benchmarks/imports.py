"""Seconds to import all orders of a shop, the same again, and a file of a million events."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from . import Row
from .pipeline import CLEAR, in_process

# In processes of their own, as the commands of a shop are.
_ORDERS = (
    "import json, django; django.setup(); from benchmarks._import_steps import orders; print(json.dumps(orders()))"
)
_FILE = (
    "import json, sys, django; from pathlib import Path; django.setup(); from benchmarks._import_steps import file; "
    "print(json.dumps(file(int(sys.argv[1]), Path(sys.argv[2]))))"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--database-url", help="a scratch database, kept between runs; a new SQLite file if not given")
    parser.add_argument("--households", type=int, help="only the first N households")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the file")


def run(options: argparse.Namespace) -> list[Row]:
    """Load the whole Complete Journey unless the scratch database has it, then import it as a shop would."""
    with TemporaryDirectory(prefix="ecomrec-imports-") as folder:
        environment = {**os.environ, "SHOP_VAR": folder, "DJANGO_SETTINGS_MODULE": "example_shop.settings"}
        environment.pop("DATABASE_URL", None)
        if options.database_url:
            environment["DATABASE_URL"] = options.database_url
        households = [f"--households={options.households}"] if options.households else []
        in_process(["manage.py", "migrate", "-v0"], environment)
        in_process(["manage.py", "load_completejourney", *households], environment)
        in_process(["-c", CLEAR], environment)
        rows: list[Row] = []
        for step in (["-c", _ORDERS], ["-c", _FILE, str(options.rows), str(Path(folder))]):
            rows += json.loads(in_process(step, environment).splitlines()[-1])
    return rows
