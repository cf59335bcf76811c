"""The methods of an adapter that are tried on products, and what each has to return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.utils.functional import Promise

from ..catalog.adapter import Catalog
from ..catalog.validation import clean_facts, customer_price
from ..catalog.values import to_price
from ..learning.amounts import Amount

AMOUNT = "a Decimal from 0 up, such as Decimal(str(amount)), or None if the price is unknown"

Call = Callable[[Catalog, Any, HttpRequest | None], Any]


@dataclass(frozen=True, kw_only=True)
class Method:
    """How a method of the adapter is tried.

    name: of the method.
    call: calls it.
    is_valid: whether it may return a value.
    is_tolerated: whether pages understand another value as well.
    expected: what it has to return.
    remedy: what to do where it raises; "" for the signature to write.
    takes_request: whether it is called with None as well, as by `manage.py ecomrec_recommend` and pages for staff.
    on_pages: whether it is called for each offer of a page, so that a query of its own is slow.
    """

    name: str
    call: Call
    is_valid: Callable[[Any], bool]
    expected: str
    is_tolerated: Callable[[Any], bool] = lambda _: False
    remedy: str = ""
    takes_request: bool = False
    on_pages: bool = True


def _is_text(value: Any) -> bool:
    return isinstance(value, str | Promise)


def _is_amount(value: Any) -> bool:
    return value is None or (isinstance(value, Decimal) and value.is_finite() and value >= 0)


def _is_convertible(value: Any) -> bool:
    return not isinstance(value, bool) and to_price(value) is not None


def _is_count(value: Any) -> bool:
    return value is None or (isinstance(value, int) and value >= 0)


def _is_rating(value: Any) -> bool:
    return value is None or (isinstance(value, int | float | Decimal) and value >= 0)


def _formatted(catalog: Catalog, product: Any, request: HttpRequest | None) -> Any:
    try:
        price = customer_price(catalog, product, request)
    except Exception:
        # Said of price already.
        return ""
    return "" if price is None else catalog.format_price(price, request)


METHODS = (
    Method(
        name="display_title",
        call=lambda catalog, product, _: catalog.display_title(product),
        is_valid=lambda title: _is_text(title) and bool(str(title)),
        expected="the title as text, which is not empty",
    ),
    Method(
        name="display_brand",
        call=lambda catalog, product, _: catalog.display_brand(product),
        is_valid=_is_text,
        expected='the brand as text, "" if it is unknown',
    ),
    Method(
        name="available",
        call=lambda catalog, product, request: catalog.available(product, request),
        is_valid=lambda value: isinstance(value, bool | int),
        expected="True or False",
        takes_request=True,
    ),
    Method(
        name="is_sellable",
        call=lambda catalog, product, _: catalog.is_sellable(product),
        is_valid=lambda value: isinstance(value, bool | int),
        expected="True or False",
    ),
    # Before what calls it, so that it is the one that is named.
    Method(
        name="base_price",
        call=lambda catalog, product, _: catalog.base_price(product),
        is_valid=_is_amount,
        is_tolerated=_is_convertible,
        expected=AMOUNT,
    ),
    Method(
        name="price",
        call=lambda catalog, product, request: catalog.price(product, request),
        is_valid=_is_amount,
        is_tolerated=_is_convertible,
        expected=AMOUNT,
        takes_request=True,
    ),
    Method(
        name="format_price",
        call=_formatted,
        is_valid=_is_text,
        expected="the price as text",
        takes_request=True,
    ),
    Method(
        name="currency",
        call=lambda catalog, _, request: catalog.currency(request),
        is_valid=_is_text,
        expected='the code of a currency, such as "EUR", or "" for none',
        takes_request=True,
    ),
    Method(
        name="url",
        call=lambda catalog, product, _: catalog.url(product),
        is_valid=lambda url: url is None or _is_text(url),
        expected='an address, "" for a product without a page',
        remedy='Name a URL that exists, and return "" for a product without a page. Until then it is not offered.',
    ),
    Method(
        name="image_url",
        call=lambda catalog, product, _: catalog.image_url(product),
        is_valid=lambda url: url is None or _is_text(url),
        expected='an address, "" for a product without a picture',
        remedy='Return "" for a product without a picture. Until then it is offered without one.',
    ),
    Method(
        name="stock_level",
        call=lambda catalog, product, _: catalog.stock_level(product),
        is_valid=_is_count,
        expected="a whole number from 0 up, or None if pieces are not counted",
    ),
    Method(
        name="display_stock",
        call=lambda catalog, product, request: catalog.display_stock(product, request),
        is_valid=_is_count,
        expected="a whole number from 0 up, or None if shoppers must not know",
    ),
    Method(
        name="base_rating",
        call=lambda catalog, product, _: catalog.base_rating(product),
        is_valid=_is_rating,
        expected="a number, or None without ratings",
    ),
    Method(
        name="base_rating_count",
        call=lambda catalog, product, _: catalog.base_rating_count(product),
        is_valid=_is_count,
        expected="a whole number from 0 up, or None if it is unknown",
    ),
    Method(
        name="compared_attributes",
        call=lambda catalog, product, _: catalog.compared_attributes(product),
        is_valid=lambda attributes: isinstance(attributes, Mapping),
        expected='texts by name, such as {"colour": "red"}, or {} to compare nothing',
    ),
    Method(
        name="product_amount",
        call=lambda catalog, product, _: catalog.product_amount(product),
        is_valid=lambda amount: amount is None or isinstance(amount, Amount),
        expected='an Amount, such as Amount(1500.0, "g"), or None if it is unknown',
    ),
    Method(
        name="base_cost",
        call=lambda catalog, product, _: catalog.base_cost(product),
        is_valid=_is_amount,
        expected="a Decimal from 0 up, or None if it is unknown",
        on_pages=False,
    ),
    Method(
        name="product_category",
        call=lambda catalog, product, _: catalog.product_category(product),
        is_valid=lambda path: isinstance(path, tuple | list),
        expected="the names from the root to the leaf as a tuple, () for none",
        on_pages=False,
    ),
    Method(
        name="replaced_id",
        call=lambda catalog, product, _: catalog.replaced_id(product),
        is_valid=lambda name: isinstance(name, str),
        expected='the id of the product whose place it took, "" for none',
        on_pages=False,
    ),
    Method(
        name="product_category_keys",
        call=lambda catalog, product, _: catalog.product_category_keys(product),
        is_valid=lambda keys: isinstance(keys, tuple | list),
        expected="the keys of the categories from the root to the leaf as a tuple, () for none",
        on_pages=False,
    ),
    Method(
        name="product_attributes",
        call=lambda catalog, product, _: catalog.product_attributes(product),
        is_valid=lambda attributes: isinstance(attributes, Mapping),
        expected='texts by name, such as {"colour": "red"}',
        on_pages=False,
    ),
    Method(
        name="describe",
        call=lambda catalog, product, _: clean_facts(catalog, catalog.describe(product)),
        is_valid=lambda _: True,
        expected="an ItemFacts",
        remedy="Until this is corrected, each sync skips these products.",
        on_pages=False,
    ),
)
