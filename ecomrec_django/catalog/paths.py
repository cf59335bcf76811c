"""What an adapter's attributes name: models, and dotted paths from a product to a value."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.db.models import Model
from django.db.models.fields.related_descriptors import (
    ForwardManyToOneDescriptor,
    ReverseManyToOneDescriptor,
    ReverseOneToOneDescriptor,
)

from ..errors import ConfigurationError, suggestion

_MISSING = object()


def model_named(label: str) -> type[Model]:
    """The installed model of a label, such as "shop.Product". Raises ConfigurationError."""
    try:
        return apps.get_model(label)
    except (AttributeError, LookupError, ValueError):
        hint = suggestion(str(label), (model._meta.label for model in apps.get_models()))
        raise ConfigurationError(
            f'no model of an installed app has this label, as in "shop.Product". {hint}'.strip()
        ) from None


def read_path(instance: Any, path: str | None) -> Any:
    """Follow a dotted path; a missing link (no brand) reads as None, a callable at the end is called.

    Raises ConfigurationError for a name that its object lacks, and for what is no path.
    """
    if not path:
        return None
    if not isinstance(path, str):
        raise ConfigurationError("it has to be the name of a field, as text.")
    value = instance
    for name in path.split("."):
        if value is None:
            return None
        try:
            value = getattr(value, name)
        except ObjectDoesNotExist:
            return None
        except AttributeError:
            if inspect.getattr_static(type(value), name, _MISSING) is not _MISSING:
                # It exists, and failed inside.
                raise
            raise ConfigurationError(missing_name(type(value), name)) from None
    return value() if callable(value) else value


def is_loaded(instance: Model, path: str) -> bool:
    """Whether the dotted ``path`` can be followed without a query. Properties are taken to cost none."""
    value: Any = instance
    for name in path.split("."):
        if isinstance(value, Model) and not _is_field_loaded(value, name):
            return False
        value = getattr(value, name, None)
    return True


def _is_field_loaded(instance: Model, name: str) -> bool:
    try:
        field: Any = instance._meta.get_field(name)
    except FieldDoesNotExist:
        return True
    if not field.concrete:
        return False
    here = field.attname not in instance.get_deferred_fields()
    if not field.is_relation or name == field.attname:
        return here
    return field.is_cached(instance) or (here and getattr(instance, field.attname) is None)


def path_problem(model: type[Model], path: str) -> str:
    """What is wrong with a dotted path that starts at ``model``, as far as its classes tell; "" if nothing is."""
    current: type[Model] | None = model
    names = path.split(".")
    for position, name in enumerate(names, start=1):
        if current is None:
            return ""
        attribute = inspect.getattr_static(current, name, _MISSING)
        if attribute is _MISSING:
            return "" if hasattr(current, "__getattr__") else missing_name(current, name)
        if isinstance(attribute, ReverseManyToOneDescriptor):
            return f'"{name}" of {_label(current)} leads to many rows, not to one value.'
        if inspect.isfunction(attribute):
            return _method_problem(attribute, name, is_last=position == len(names))
        current = _related_model(attribute)
    return ""


def join_problem(model: type[Model], path: str) -> str:
    """What is wrong with a path of ``select_related``; "" if nothing is."""
    current: Any = model
    for name in path.split("__"):
        try:
            field = current._meta.get_field(name)
        except FieldDoesNotExist:
            return missing_name(current, name)
        if not (field.many_to_one or field.one_to_one) or field.related_model is None:
            return f'"{name}" of {_label(current)} is not a foreign key, so it cannot be joined.'
        current = field.related_model
    return ""


def missing_name(owner: type[Any], name: str) -> str:
    """That ``owner`` lacks ``name``, and which one may be meant."""
    dotted = name.replace("__", ".")
    is_model = isinstance(owner, type) and issubclass(owner, Model)
    if dotted != name and is_model and not path_problem(owner, dotted):
        hint = f'Follow relations with dots: "{dotted}".'
    elif dotted != name and is_model:
        hint = f"Follow relations with dots. {path_problem(owner, dotted)}"
    else:
        hint = suggestion(name, _names(owner))
    return f'{_label(owner)} has no "{name}". {hint}'.strip()


def _names(owner: type[Any]) -> Iterator[str]:
    if issubclass(owner, Model):
        yield from (field.name for field in owner._meta.get_fields())
        yield from (name for name in dir(owner) if not name.startswith("_") and not hasattr(Model, name))
    else:
        yield from (name for name in dir(owner) if not name.startswith("_"))


def _label(owner: type[Any]) -> str:
    return owner._meta.label if issubclass(owner, Model) else owner.__name__


def _related_model(attribute: Any) -> type[Model] | None:
    """The model that a class attribute of a model leads to; None where its classes do not tell."""
    if isinstance(attribute, ForwardManyToOneDescriptor):
        return attribute.field.related_model
    if isinstance(attribute, ReverseOneToOneDescriptor):
        return attribute.related.related_model
    return None


def _method_problem(method: Any, name: str, *, is_last: bool) -> str:
    if not is_last:
        return f'"{name}" is a method: only the last name of a path may be one.'
    try:
        inspect.signature(method).bind(None)
    except TypeError:
        return f'"{name}" is a method that takes arguments.'
    return ""
