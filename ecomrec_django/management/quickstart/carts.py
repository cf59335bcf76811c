"""Where a shop keeps its carts: in the session, in the database, or as orders that were not placed yet."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path as FilePath

from django.apps import AppConfig
from django.conf import settings
from django.db import models

from .fields import TEXT, Path, columns, end_of, foreign_keys, path_to_user, words
from .orders import OrderGuess, path_to_product

CART = {"cart", "basket", "bag"}
_SESSION = re.compile(
    r"""session(?:\.get\(|\.setdefault\(|\.pop\(|\[)\s*(?:["'](\w+)["']|(?:settings\.)?([A-Z_]+)\b)"""
)


@dataclass(frozen=True, kw_only=True)
class CartGuess:
    """Where the products in a cart are found.

    session: source text of the key in the session; "" for a cart in the database
    line_model: the model of its lines
    product, user: paths from a line to the product and to the account
    session_key: the path to the session of a guest; () for none
    state: path and value of the status of an order that is a cart
    """

    session: str = ""
    line_model: type[models.Model] | None = None
    product: Path = ()
    user: Path = ()
    session_key: Path = ()
    state: tuple[Path, object] | None = None


def guess_cart(
    product: type[models.Model],
    candidates: Iterable[type[models.Model]],
    orders: OrderGuess | None,
    shop_apps: Iterable[AppConfig],
) -> CartGuess | None:
    """How this shop keeps its carts; None if nothing looks like one."""
    if orders is not None and orders.state is not None and orders.state.unfinished and orders.user:
        return CartGuess(
            line_model=orders.line_model,
            product=orders.product,
            user=orders.user,
            state=(orders.state.path, orders.state.unfinished[0]),
        )
    for model in candidates:
        path = path_to_product(model, product)
        if path is not None and CART & set(words(model.__name__)):
            guess = CartGuess(
                line_model=model,
                product=path,
                user=path_to_user(model) or (),
                session_key=_session_key(model),
            )
            if guess.user or guess.session_key:
                return guess
    key = next((key for app in shop_apps for key in _session_keys(FilePath(app.path))), "")
    return CartGuess(session=key) if key else None


def _session_key(line: type[models.Model]) -> Path:
    """The path to a column with the key of a session, of the line or its cart."""
    paths: list[Path] = [(), *((each.name,) for each in foreign_keys(line))]
    for path in paths:
        model = end_of(line, path).related_model if path else line
        for each in columns(model):
            if isinstance(each, TEXT) and "session" in words(each.name):
                return (*path, each.name)
    return ()


def _session_keys(folder: FilePath) -> Iterable[str]:
    """Source texts of keys under which the code of an app keeps a cart in the session."""
    for path in sorted(folder.rglob("*.py")):
        if "migrations" in path.parts:
            continue
        for text, constant in _SESSION.findall(path.read_text(encoding="utf-8", errors="replace")):
            if CART & set(words(text)):
                yield f'"{text}"'
            elif CART & set(words(constant)) and hasattr(settings, constant):
                yield f"settings.{constant}"
