"""Validation of what a shop's adapter returns: each mistake names the method, what it returned, and what to do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from django.utils.functional import Promise

from ..db import storable
from ..errors import DataError
from ..learning.amounts import amount_of, normalised
from .adapter import Catalog, ItemFacts
from .categories import aligned

LONGEST_ID = 128
LONGEST_KEY = 128
LARGEST_PRICE = 10**10
MOST_ATTRIBUTES, LONGEST_ATTRIBUTE = 50, 200


def clean_facts(catalog: Catalog, facts: object) -> ItemFacts:
    """What ``describe`` returned, as it is mirrored. Raises DataError."""
    name = type(catalog).__name__
    if not isinstance(facts, ItemFacts):
        raise DataError(f"{name}.describe returned {kind_of(facts)}: return an ItemFacts.")
    if not facts.external_id:
        raise DataError(f"it has no id: {name}.external_id has to name a unique value.")
    if len(str(facts.external_id)) > LONGEST_ID:
        raise DataError(f"its id is longer than {LONGEST_ID} characters; choose another {name}.key.")
    if storable(str(facts.external_id)) != str(facts.external_id):
        raise DataError(f"its id holds a character that databases cannot store; choose another {name}.key.")
    if isinstance(facts.category, str):
        raise DataError(
            f"its category {facts.category!r} is a text: give the names from the root to the leaf as a tuple, "
            "such as self.category_path(text)."
        )
    category = tuple(storable(str(part)) for part in facts.category or ())
    title, attributes = _text("title", facts.title), _bounded(facts.attributes)
    replaces = "" if facts.replaces is None else str(facts.replaces)
    if len(replaces) > LONGEST_ID or storable(replaces) != replaces:
        raise DataError(f"it replaces a product without a valid id; correct {name}.replaced_id.")
    amount = normalised(_size(facts.amount), facts.unit or "") or amount_of(attributes, title)
    return replace(
        facts,
        external_id=str(facts.external_id),
        title=title,
        category=category,
        category_keys=aligned((_key(catalog, key) for key in facts.category_keys or ()), category),
        price=_amount("price", facts.price),
        brand=_text("brand", facts.brand or ""),
        rating=_rating(facts.rating),
        image=_text("image", facts.image or ""),
        description=_text("description", facts.description or ""),
        available=bool(facts.available),
        attributes=attributes,
        cost=_amount("cost", facts.cost),
        amount=None if amount is None else amount.value,
        unit="" if amount is None else amount.unit,
        sellable=bool(facts.sellable),
        replaces="" if replaces == str(facts.external_id) else replaces,
    )


def check_product(catalog: Catalog, product: object) -> None:
    """Raises DataError for a row of another model than the catalog's."""
    if catalog.model is None or not isinstance(product, Model):
        return
    model = catalog.product_model()
    # A proxy stands for the model whose table it shares.
    if not issubclass(product._meta.concrete_model or type(product), model._meta.concrete_model or model):
        name = type(catalog).__name__
        raise DataError(f"{name} reads {kind_of(product)}, not {model._meta.label}: correct {name}.products.")


def customer_price(catalog: Catalog, product: Any, request: HttpRequest | None) -> Decimal | None:
    """What this customer pays, as ``Catalog.price`` says; None if unknown. Raises DataError for what is no price."""
    price = catalog.price(product, request)
    # As a page asks for each of its offers.
    if price is None or (type(price) is Decimal and price.is_finite() and price >= 0):
        return price
    try:
        return _amount("price", price)
    except DataError as error:
        raise DataError(f"{type(catalog).__name__}.price: {error}") from None


def cart_ids(catalog: Catalog, request: HttpRequest) -> tuple[str, ...]:
    """External ids of what is in this customer's cart. Raises DataError for what cannot be ids."""
    name = f"{type(catalog).__name__}.cart"
    entries = catalog.cart(request)
    if entries is None:
        raise DataError(f"{name} returned None: return the external ids of the products, () for an empty cart.")
    return tuple(_cart_id(catalog, name, entry) for entry in entries)


def kind_of(value: object) -> str:
    """What ``value`` is, for a message: its class, and never its contents."""
    if value is None:
        return "None"
    name = value._meta.label if isinstance(value, Model) else type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _cart_id(catalog: Catalog, name: str, entry: Any) -> str:
    if not isinstance(entry, Model):
        return str(entry)
    if isinstance(entry, catalog.product_model()):
        return catalog.external_id(entry)
    raise DataError(f"{name} returned {kind_of(entry)}: return the external ids of the products.")


def _key(catalog: Catalog, value: object) -> str:
    key = "" if value is None else storable(str(value))
    if len(key) > LONGEST_KEY:
        raise DataError(
            f"the key of its category is longer than {LONGEST_KEY} characters; choose another in "
            f"{type(catalog).__name__}.category_key."
        )
    return key


def _text(name: str, value: object) -> str:
    if not isinstance(value, str | Promise):
        raise DataError(f"its {name} is {kind_of(value)}: give a text.")
    return storable(str(value))


def _amount(name: str, value: object) -> Decimal | None:
    if value is None or value == "":
        return None
    amount = _number(Decimal, name, value)
    if not (amount.is_finite() and 0 <= amount < LARGEST_PRICE):
        raise DataError(f"its {name} {value} is not a number from 0 to {LARGEST_PRICE}; use None if it is unknown.")
    return amount


def _size(value: object) -> float | None:
    return None if value is None or value == "" else _number(float, "amount", value)


def _rating(value: object) -> float | None:
    if value is None or value == "":
        return None
    rating = _number(float, "rating", value)
    if not math.isfinite(rating):
        raise DataError(f"its rating {value} is not a finite number; use None if there is none.")
    return rating


def _number(to_number: Callable[[Any], Any], name: str, value: object) -> Any:
    try:
        if isinstance(value, bool):
            raise TypeError
        # The text of a float is the amount that was meant, which the float itself is not.
        return to_number(str(value) if isinstance(value, float) else value)
    except (InvalidOperation, TypeError, ValueError):
        raise DataError(f"its {name} {value!r} is {kind_of(value)}, not a number; use None if it is unknown.") from None


def _bounded(attributes: object) -> dict[str, str]:
    """The first MOST_ATTRIBUTES non-empty attributes by name, each a line of at most LONGEST_ATTRIBUTE characters."""
    if not isinstance(attributes, Mapping):
        raise DataError(f'its attributes are {kind_of(attributes)}: give texts by name, such as {{"colour": "red"}}.')
    lines = {_line(name): _line(value) for name, value in attributes.items()}
    named = sorted((name, value) for name, value in lines.items() if name and value)
    return dict(named[:MOST_ATTRIBUTES])


def _line(text: str) -> str:
    return " ".join(storable(str(text)).split())[:LONGEST_ATTRIBUTE]
