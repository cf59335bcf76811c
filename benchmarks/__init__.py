"""Figures that anyone can repeat: ``python -m benchmarks NAME [--json FILE]``.

A benchmark is a public module of this package. Its docstring's first line says what it measures; it defines
``run(options: argparse.Namespace) -> list[Row]`` and may define ``arguments(parser)`` to add options of its own.
A `Row` is a dict whose ``name`` says who was measured (our own are ``ecomrec`` or ``ecomrec:VARIANT``), and whose
other values are numbers, the same metrics in every row where they exist.
"""

from __future__ import annotations

Row = dict[str, str | int | float]
