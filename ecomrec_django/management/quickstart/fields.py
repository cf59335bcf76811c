"""Fields found by their names and types, and paths of foreign keys between models."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models

TEXT = (models.CharField, models.TextField)
NUMBER = (models.DecimalField, models.FloatField, models.IntegerField)
WHOLE = (models.IntegerField,)
YES_NO = (models.BooleanField,)
MOMENT = (models.DateField,)
NAMES = ("name", "title", "label")
CUSTOMERS = {"customer", "user", "buyer", "client", "account", "shopper", "purchaser", "profile"}

Path = tuple[str, ...]


@dataclass(frozen=True)
class Guess:
    """What probably holds a value.

    path: names that lead to it, with dots
    doubt: why it may be something else; "" if the name leaves little room for that
    """

    path: str
    doubt: str = ""


def words(name: str) -> list[str]:
    """The words of a name: "unitPrice" and "unit_price" have the same."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")


def columns(model: type[models.Model]) -> list[Any]:
    """The model's own columns except its key."""
    return [field for field in model._meta.concrete_fields if not field.primary_key]


def column(model: type[models.Model], name: str) -> Any:
    """The column of that name; None for none."""
    return next((field for field in columns(model) if field.name == name), None)


def named(model: type[models.Model], names: Iterable[str], kinds: tuple[type[Any], ...]) -> Guess | None:
    """A column of these kinds, or a property, with one of ``names``."""
    for name in names:
        field = column(model, name)
        if (field is not None and isinstance(field, kinds)) or (field is None and is_readable(model, name)):
            return Guess(name)
    return None


def find(model: type[models.Model], names: Iterable[str], kinds: tuple[type[Any], ...]) -> Guess | None:
    """As `named`; else a column that has the words of one of ``names`` in its own."""
    names = tuple(names)
    if (guess := named(model, names, kinds)) is not None:
        return guess
    for name in names:
        for field in columns(model):
            if isinstance(field, kinds) and set(words(name)) <= set(words(field.name)):
                return Guess(field.name, f"guessed from the name {field.name}")
    return None


def is_readable(model: type[models.Model], name: str) -> bool:
    """Whether instances have a property, a method without arguments, or a field of another package of that name."""
    value = inspect.getattr_static(model, name, None)
    if isinstance(value, property | cached_property):
        return True
    if inspect.isfunction(value):
        return list(inspect.signature(value).parameters) == ["self"]
    # django-parler describes its translated fields so.
    return type(value).__name__ == "TranslatedFieldDescriptor"


def foreign_keys(model: type[models.Model]) -> list[Any]:
    """Columns that lead to one row of another model."""
    return [field for field in columns(model) if (field.many_to_one or field.one_to_one) and field.related_model]


def leads_to(field: Any, target: type[models.Model]) -> bool:
    """Whether a foreign key is one to ``target``, or to a model that shares its table."""
    return bool(field.related_model._meta.concrete_model is target._meta.concrete_model)


def path_to(start: type[models.Model], target: type[models.Model], steps: int = 2) -> Path | None:
    """The shortest path of foreign keys between two models; () from a model to itself, None for none."""
    if start._meta.concrete_model is target._meta.concrete_model:
        return ()
    if not steps:
        return None
    for field in foreign_keys(start):
        if leads_to(field, target):
            return (field.name,)
    paths = (
        (field.name, *rest)
        for field in foreign_keys(start)
        if (rest := path_to(field.related_model, target, steps - 1)) is not None
    )
    return min(paths, key=len, default=None)


def path_to_user(start: type[models.Model]) -> Path | None:
    """The path to the account of the customer whom a row belongs to, at most by way of a profile or a cart."""
    user = get_user_model()
    paths: list[Path] = [(each.name,) for each in foreign_keys(start) if leads_to(each, user)]
    paths += [
        (each.name, step.name)
        for each in foreign_keys(start)
        for step in foreign_keys(each.related_model)
        if leads_to(step, user) and not leads_to(each, user)
    ]
    return min(paths, key=lambda path: (len(path), not _names_a_customer(path)), default=None)


def _names_a_customer(path: Path) -> bool:
    return any(CUSTOMERS & set(words(name)) for name in path)


def end_of(start: type[models.Model], path: Sequence[str]) -> Any:
    """The last field of a path."""
    *first, last = path
    model: Any = start
    for name in first:
        model = model._meta.get_field(name).related_model
    return model._meta.get_field(last)


def is_optional(start: type[models.Model], path: Sequence[str]) -> bool:
    """Whether a foreign key on the path may be empty."""
    return any(end_of(start, path[: length + 1]).null for length in range(len(path)))


def rows_of(model: type[models.Model]) -> Iterator[tuple[str, type[models.Model]]]:
    """Models with a foreign key to ``model``, each by the name under which a row of it has theirs."""
    for relation in model._meta.related_objects:
        name = relation.get_accessor_name()
        if name and relation.one_to_many:
            yield name, relation.related_model


def lookup(*paths: str | Path) -> str:
    """The name of a query for a path: ("part", "order") and "number" make "part__order__number"."""
    names = [name for path in paths for name in ([path] if isinstance(path, str) else path)]
    return "__".join(name.replace(".", "__") for name in names)


def label_name(model: type[models.Model]) -> str:
    """The column with the name of a row, such as that of a brand; "" for none."""
    return next((name for name in NAMES if isinstance(column(model, name), TEXT)), "")
