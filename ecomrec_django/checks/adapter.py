"""Checks of the shop's adapter: what its attributes name, and how its methods are called. They make no query."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register
from django.db.models import Model

from ..catalog.adapter import Catalog
from ..catalog.paths import join_problem, model_named, path_problem
from ..catalog.validation import kind_of
from ..conf import conf
from ..errors import EcomrecError, suggestion
from ..failures import message_of

# Attribute that names a value of a product -> the methods of Catalog that read it.
READERS = {
    "title": ("display_title",),
    "price_field": ("base_price",),
    "cost": ("base_cost",),
    "category": ("product_category",),
    "brand": ("describe", "display_brand"),
    "image": ("image_url", "open_picture"),
    "rating": ("base_rating",),
    "rating_count": ("base_rating_count",),
    "description": ("describe",),
    "stock": ("available", "stock_level"),
    "sellable": ("is_sellable",),
    "replaces": ("replaced_id",),
}
# What a shop may have meant by an attribute with the name of a method, and by a method with the name of an attribute.
ATTRIBUTE_OF = {
    "price": "price_field",
    "image_url": "image",
    "available": "stock",
    "is_sellable": "sellable",
    "base_rating": "rating",
    "currency": "base_currency",
}
METHOD_OF = {
    "key": "external_id",
    "title": "display_title",
    "price_field": "price",
    "cost": "base_cost",
    "category": "product_category",
    "brand": "describe and display_brand",
    "image": "image_url",
    "rating": "base_rating",
    "rating_count": "base_rating_count",
    "description": "describe",
    "stock": "available and stock_level",
    "sellable": "is_sellable",
    "attributes": "product_attributes",
}
# Similarity of names from which one is taken for a misspelling of the other.
CUTOFF = 0.8


@register("ecomrec")
def check_adapter(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check the class that ``ECOMREC["CATALOG"]`` names.

    ecomrec.E020: a model that is not installed, or an adapter that cannot be created
    ecomrec.E021: an attribute that names nothing of its model
    ecomrec.E022: a method that cannot be called as it is
    ecomrec.E023: an attribute in the place of a method, or a method in the place of an attribute
    ecomrec.W024: a name that is nearly one of Catalog's
    ecomrec.W025: a model whose rows cannot be imported
    ecomrec.W026: a key that is not unique
    ecomrec.W027: a currency that is not a code
    """
    try:
        adapter = conf.CATALOG
    except EcomrecError:
        return []
    if not (isinstance(adapter, type) and issubclass(adapter, Catalog)):
        return []
    return list(_Examination(adapter).messages())


class _Examination:
    """The mistakes of one adapter."""

    def __init__(self, adapter: type[Catalog]) -> None:
        self.adapter = adapter
        self.name = adapter.__name__
        self.misplaced = dict(self._misplaced())

    def messages(self) -> Iterator[CheckMessage]:
        """All that is wrong, as far as classes tell."""
        yield from self.misplaced.values()
        yield from self._signatures()
        yield from self._misspelt()
        try:
            self.catalog = self.adapter()
        except Exception as error:
            yield Error(
                f"{self.name}() fails: {message_of(error)}",
                hint="An adapter is created without arguments, again and again.",
                id="ecomrec.E020",
            )
            return
        yield from self._imported_models()
        yield from self._currency()
        try:
            model = self.catalog.product_model()
        except EcomrecError as error:
            # An adapter without a model may read its products in another way.
            if self.catalog.model is not None or not (self._overrides("items") or self._overrides("products")):
                yield Error(str(error), id="ecomrec.E020")
            return
        yield from self._paths(model)
        yield from self._key(model)

    # -- attributes -------------------------------------------------------------------------------------------------

    def _paths(self, model: type[Model]) -> Iterator[CheckMessage]:
        for attribute, readers in READERS.items():
            path = getattr(self.catalog, attribute)
            if path in (None, "") or attribute in self.misplaced or not self._is_read(attribute, readers):
                continue
            yield from self._path_errors(attribute, path, path_problem, model)
        for attribute, find in (("attributes", path_problem), ("select_related", join_problem)):
            paths = getattr(self.catalog, attribute)
            if isinstance(paths, str):
                yield self._path_error(attribute, paths, f'it has to be a tuple of texts: ("{paths}",).')
            elif attribute not in self.misplaced:
                for path in paths:
                    yield from self._path_errors(attribute, path, find, model)

    def _path_errors(
        self, attribute: str, path: Any, find: Callable[[type[Model], str], str], model: type[Model]
    ) -> Iterator[CheckMessage]:
        if not isinstance(path, str):
            yield self._path_error(attribute, path, "it has to be the name of a field, as text.")
        elif (problem := find(model, path)) and path.split(".")[0] not in self._annotations:
            yield self._path_error(attribute, path, problem)

    def _is_read(self, attribute: str, readers: tuple[str, ...]) -> bool:
        return self._overrides(attribute) or not all(self._overrides(reader) for reader in readers)

    def _path_error(self, attribute: str, path: object, problem: str) -> CheckMessage:
        hint = None
        if attribute in METHOD_OF:
            hint = f"Name a field, property or method of the product, or override {METHOD_OF[attribute]}."
        return Error(f"{self.name}.{attribute} = {path!r}: {problem}", hint=hint, id="ecomrec.E021")

    @cached_property
    def _annotations(self) -> set[str]:
        """Names that an overridden ``products`` adds to its rows."""
        if not self._overrides("products"):
            return set()
        try:
            return set(self.catalog.products().query.annotations)
        except Exception:
            # It may need what a check must not ask, such as the database.
            return set()

    def _key(self, model: type[Model]) -> Iterator[CheckMessage]:
        key = self.catalog.key
        if key == "pk" or (self._overrides("external_id") and self._overrides("in_bulk")):
            return
        if self._overrides("in_bulk"):
            yield from self._path_errors("key", key, path_problem, model)
        elif problem := _field_problem(model, key):
            yield self._path_error("key", key, problem)
        elif not getattr(model._meta.get_field(key), "unique", False):
            yield Warning(
                f"{self.name}.key = {key!r}: this field of {model._meta.label} is not unique.",
                hint="Of products that share an id, only one is known. Name a unique field.",
                id="ecomrec.W026",
            )

    def _currency(self) -> Iterator[CheckMessage]:
        currency = self.catalog.base_currency
        if currency and not re.fullmatch("[A-Z]{3}", str(currency)):
            yield Warning(
                f"{self.name}.base_currency = {currency!r} is not the code of a currency.",
                hint='Use the code of three letters, such as "EUR", in PurchaseLine.currency as well.',
                id="ecomrec.W027",
            )

    # -- models of orders and reviews -------------------------------------------------------------------------------

    def _imported_models(self) -> Iterator[CheckMessage]:
        for attribute, method in (("order_model", "order_lines"), ("review_model", "review_line")):
            label = getattr(self.catalog, attribute)
            if label is None:
                continue
            try:
                model = model_named(label)
            except EcomrecError as error:
                yield Error(f"{self.name}.{attribute} = {label!r}: {error}", id="ecomrec.E020")
                continue
            if not self._overrides(method):
                yield Warning(
                    f"{self.name}.{attribute} is set, but {self.name}.{method} is not overridden.",
                    hint=f"Override {method}{_signature(getattr(Catalog, method))}, or remove {attribute}.",
                    id="ecomrec.W025",
                )
            key = self.catalog.order_key
            is_read = attribute == "order_model" and key != "pk" and not self._overrides("order_admin_urls")
            if is_read and (problem := _field_problem(model, key)):
                yield self._path_error("order_key", key, problem)

    # -- methods ----------------------------------------------------------------------------------------------------

    def _misplaced(self) -> Iterator[tuple[str, CheckMessage]]:
        """Attributes in the place of methods, and the other way round, by name."""
        for name, value in self._own_members():
            base = inspect.getattr_static(Catalog, name, None)
            problem = ""
            if inspect.isfunction(base) and not _is_method(value):
                problem = f"has to be a method, not {kind_of(value)}."
                hint = f"Write def {name}{_signature(base)}."
                if name in ATTRIBUTE_OF and isinstance(value, str):
                    hint = f'Write {ATTRIBUTE_OF[name]} = "{value}".'
            elif name in METHOD_OF and inspect.isfunction(value):
                problem, hint = "has to name a field, and is a method.", f"Override {METHOD_OF[name]} instead."
            if problem:
                yield name, Error(f"{self.name}.{name} {problem}", hint=hint, id="ecomrec.E023")

    def _signatures(self) -> Iterator[CheckMessage]:
        for name, value in self._own_members():
            base = inspect.getattr_static(Catalog, name, None)
            base = getattr(base, "__func__", base)
            if inspect.isfunction(base) and name not in self.misplaced and (problem := _call_problem(base, value)):
                hint = f"Write def {name}{_signature(base)}."
                yield Error(f"{self.name}.{name} {problem}", hint=hint, id="ecomrec.E022")

    def _misspelt(self) -> Iterator[CheckMessage]:
        own = dict(self._own_members())
        known = {name: getattr(Catalog, name) for name in dir(Catalog) if not name.startswith("_") and name not in own}
        for name, value in own.items():
            alike = [other for other, base in known.items() if callable(base) == _is_method(value)]
            hint = "" if hasattr(Catalog, name) else suggestion(name, alike, cutoff=CUTOFF)
            if hint:
                message = f'Catalog has no "{name}", so {self.name}.{name} has no effect.'
                yield Warning(message, hint=hint, id="ecomrec.W024")

    # -- the class --------------------------------------------------------------------------------------------------

    def _overrides(self, name: str) -> bool:
        return inspect.getattr_static(self.adapter, name) is not inspect.getattr_static(Catalog, name)

    def _own_members(self) -> Iterator[tuple[str, Any]]:
        """Public members of the adapter and its ancestors below Catalog, the nearest of each name."""
        seen = set()
        for owner in self.adapter.__mro__:
            if owner is Catalog:
                return
            for name, value in vars(owner).items():
                if not name.startswith("_") and name not in seen:
                    seen.add(name)
                    yield name, value


def _field_problem(model: type[Model], name: object) -> str:
    """Why ``name`` is not one of the model's own fields; "" if it is."""
    names = [name for field in model._meta.concrete_fields for name in (field.name, field.attname)]
    return "" if name in names else f'{model._meta.label} has no field "{name}". {suggestion(str(name), names)}'.strip()


def _is_method(value: object) -> bool:
    return inspect.isroutine(value) or isinstance(value, staticmethod | classmethod)


def _signature(function: Any) -> str:
    """Names of the arguments, such as "(self, product, request)"."""
    return f"({', '.join(inspect.signature(function).parameters)})"


def _call_problem(base: Any, member: Any) -> str:
    """Why a member cannot be called as ``base`` is; "" if it can."""
    function = getattr(member, "__func__", member)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return "must not be asynchronous."
    arguments = len(inspect.signature(base).parameters) - isinstance(member, staticmethod)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return ""
    try:
        signature.bind(*[None] * arguments)
    except TypeError:
        return f"takes {_signature(function)}, but is called with {_signature(base)}."
    return ""
