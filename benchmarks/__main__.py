"""``python -m benchmarks [NAME] [--json FILE]``."""

from __future__ import annotations

import argparse
import pkgutil
import sys
from importlib import import_module
from pathlib import Path

import benchmarks

from ._report import machine, table, write


def names() -> list[str]:
    return sorted(
        module.name for module in pkgutil.iter_modules(benchmarks.__path__) if not module.name.startswith("_")
    )


def main(arguments: list[str]) -> int:
    if not arguments:
        for name in names():
            print(f"{name:20} {(import_module(f'benchmarks.{name}').__doc__ or '').partition(chr(10))[0]}")
        return 0
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("benchmark", choices=names())
    chosen = import_module(f"benchmarks.{parser.parse_known_args(arguments[:1])[0].benchmark}")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    if hasattr(chosen, "arguments"):
        chosen.arguments(parser)
    options = parser.parse_args(arguments)
    print(f"before: {machine()}", flush=True)
    rows = chosen.run(options)
    print(table(rows))
    print(f"after: {machine()}")
    if options.json:
        write(options.json, options.benchmark, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
