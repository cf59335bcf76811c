"""Python source in the making: imports, texts and comments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import models

LONGEST_LINE = 120
STANDARD = {"dataclasses", "datetime", "decimal", "functools"}


class Imports:
    """The import statements of a module in ``package``."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._names: dict[str, set[str]] = {}

    def add(self, module: str, *names: str) -> None:
        """``from module import names``."""
        self._names.setdefault(module, set()).update(names)

    def model(self, model: type[models.Model]) -> str:
        """The name of a model, once imported; from the package itself by a relative import."""
        module = model.__module__
        self.add(
            module.removeprefix(self._package) if module.startswith(f"{self._package}.") else module, model.__name__
        )
        return model.__name__

    def lines(self) -> list[str]:
        """The statements, with blank lines between those of Python, of packages, and of the shop itself."""
        groups: list[list[str]] = [[], [], [], []]
        for module, names in sorted(self._names.items()):
            groups[_group(module)].append(f"from {module} import {', '.join(sorted(names))}")
        return [line for group in groups if group for line in [*group, ""]]


def _group(module: str) -> int:
    top = module.split(".")[0]
    return 0 if top in STANDARD else 1 if top in {"django", "ecomrec_django"} else 2 if top else 3


def chained(start: str, calls: Sequence[str], indent: int) -> list[str]:
    """``return start.call().call()``, one call to a line where all of them do not fit into one."""
    line = f"{' ' * indent}return {start}{''.join(calls)}"
    # The methods of a class stand four spaces to the right.
    if len(line) + 4 <= LONGEST_LINE:
        return [line]
    first, *others = calls
    inner = " " * (indent + 4)
    return [
        f"{' ' * indent}return (",
        f"{inner}{start}{first}",
        *(f"{inner}{call}" for call in others),
        f"{' ' * indent})",
    ]


def todo(text: str) -> str:
    """A comment at the end of a line; "" for no doubt."""
    return f"  # TODO: {text}" if text else ""


def quoted(value: Any) -> str:
    """A constant: texts in double quotes."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


def constants(values: Iterable[Any]) -> str:
    """A tuple of constants."""
    texts = [quoted(value) for value in values]
    return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"
