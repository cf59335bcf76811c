"""Mapping files: a format of the user's own, in TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ....errors import DataError
from .spec import EVENT_COLUMNS, ITEM_COLUMNS, MORE_EVENT_COLUMNS, MORE_ITEM_COLUMNS, Format, names_of

KEYS = ("decimal", "times", "zone", "columns", "constants", "events")


def mapped(format: Format, path: Path) -> Format:
    """``format`` with what a mapping file says otherwise. Raises DataError for what no mapping can say, and OSError."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not TOML: {error}.") from error
    try:
        return _changed(format, told)
    except (DataError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path} cannot be used: {error}. docs/files.md tells what a mapping file says.") from error


def _changed(format: Format, told: Mapping[str, Any]) -> Format:
    if unknown := told.keys() - set(KEYS):
        raise DataError(f"it has {', '.join(sorted(unknown))}, where only {', '.join(KEYS)} are known")
    names = (*ITEM_COLUMNS, *MORE_ITEM_COLUMNS) if format.items else (*EVENT_COLUMNS, *MORE_EVENT_COLUMNS)
    columns, constants = dict(format.columns), {**format.constants, **told.get("constants", {})}
    for name, sources in told.get("columns", {}).items():
        columns[name] = names_of([sources] if isinstance(sources, str) else sources)
    if unknown := (columns.keys() | constants.keys()) - set(names):
        raise DataError(f"it names the columns {', '.join(sorted(unknown))}, where only {', '.join(names)} are known")
    notation = format.notation
    if (decimal := told.get("decimal", notation.decimal)) not in ("", ".", ","):
        raise DataError('decimal is "." or ","')
    return replace(
        format,
        columns=columns,
        constants=constants,
        events={name.lower(): kind for name, kind in told.get("events", format.events).items()},
        notation=replace(
            notation,
            decimal=decimal,
            times=tuple(told.get("times", notation.times)),
            zone=ZoneInfo(told["zone"]) if "zone" in told else notation.zone,
        ),
    )
