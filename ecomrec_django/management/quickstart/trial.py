"""A first try of an adapter: system checks, and a few rows read as a sync and an import would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from types import ModuleType
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from ...catalog.adapter import Catalog
from ...catalog.validation import clean_facts
from ...checks.adapter import check_adapter
from ...conf import conf
from ...errors import EcomrecError

ROWS = 50


def adapter_class(text: str, package: str) -> Any:
    """The class in the source of an adapter, as if it were a module of ``package``."""
    module = ModuleType(f"{package}.recommendations")
    module.__package__ = package
    exec(compile(text, f"{package}/recommendations.py", "exec"), module.__dict__)  # noqa: S102  our own text
    return module.ShopCatalog


def try_adapter(adapter: Any) -> tuple[list[str], str]:
    """What is wrong with an adapter (a class or a dotted path), and what it reads of the first rows, in a sentence."""
    with _installed(adapter):
        try:
            catalog = conf.CATALOG()
            found = [f"{message.msg} {message.hint or ''}".strip() for message in check_adapter(None)]
            return (found, "") if found else ([], _read(catalog))
        except DatabaseError as error:
            return [], f"The tables of the shop cannot be read yet, so nothing was tried ({str(error).strip()})."
        except EcomrecError as error:
            return [str(error)], ""
        except Exception as error:
            return [f"{type(error).__name__}: {error}"], ""


def _read(catalog: Catalog) -> str:
    facts = [clean_facts(catalog, catalog.describe(product)) for product in islice(catalog.items(), ROWS)]
    lines = sum(1 for _ in islice(catalog.purchases(None), ROWS))
    counts = {
        name: sum(bool(getattr(each, name)) for each in facts) for name in ("price", "category", "brand", "image")
    }
    named = ", ".join(f"{count} with {name}" for name, count in counts.items())
    available = sum(each.available for each in facts)
    return f"Read the first {len(facts)} products ({named}, {available} available) and {lines} order lines."


@contextmanager
def _installed(adapter: Any) -> Iterator[None]:
    """With ``adapter`` as the project's own."""
    before = getattr(settings, "ECOMREC", None)
    settings.ECOMREC = {**(before or {}), "CATALOG": adapter}
    conf.reload()
    try:
        yield
    finally:
        if before is None:
            del settings.ECOMREC
        else:
            settings.ECOMREC = before
        conf.reload()
