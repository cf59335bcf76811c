"""A dry run of the adapter's methods on real products."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.http import HttpRequest

from ..catalog.adapter import Catalog
from ..catalog.validation import cart_ids, check_product, customer_price, kind_of
from ..errors import DataError
from ..failures import message_of
from .findings import Finding, Level, failure, ok, warning
from .methods import METHODS, Method
from .requests import QueryCount, anonymous_request

# Products on which every method is tried.
SAMPLE = 50
# Letters of a value that is shown.
LONGEST = 60
BY_ID = "Return a dict of the products that this customer may see, by what external_id gives."


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A product on which a method fails.

    product: its external id.
    message: what is wrong.
    remedy: what to do about it.
    level: how bad it is for one product.
    is_data: whether the shop's data may be to blame, and not the adapter.
    """

    product: str
    message: str
    remedy: str
    level: Level = Level.FAILURE
    is_data: bool = False


def products(catalog: Catalog) -> Iterator[Finding]:
    """Every method that is about products or the cart, tried on a sample."""
    name = type(catalog).__name__
    try:
        sample = list(islice(catalog.items(), SAMPLE))
        for product in sample:
            check_product(catalog, product)
    except Exception as error:
        yield failure("products", f"{name}.items fails: {message_of(error)}", f"Correct {name}.products.")
        return
    if not sample:
        yield warning("products", "there are none", f"Add products, or correct {name}.products.")
        return
    yield ok("products", f"{len(sample)} products were read")
    ids = _ids(catalog, sample)
    if isinstance(ids, Finding):
        yield ids
        return
    live = _live(catalog, ids)
    if isinstance(live, Finding):
        yield live
        page_sample = sample
    else:
        yield ok("in_bulk", f"{len(live)} of {len(ids)} products are found by their ids")
        page_sample = [live[name] for name in ids if name in live]
    messages: set[str] = set()
    for method in METHODS:
        finding = _tried(catalog, method, page_sample if method.on_pages else sample)
        # What a method calls may have failed on its own.
        if finding.level is Level.OK or finding.message not in messages:
            yield finding
        messages.add(finding.message)
    yield from _offered(catalog, page_sample)
    yield _cart(catalog)


def _ids(catalog: Catalog, sample: Sequence[Any]) -> list[str] | Finding:
    remedy = f"{type(catalog).__name__}.key has to name a unique field."
    try:
        ids = [catalog.external_id(product) for product in sample]
    except Exception as error:
        return failure("external_id", message_of(error), remedy)
    if wrong := [value for value in ids if not isinstance(value, str) or not value]:
        return failure("external_id", f"it returned {kind_of(wrong[0])} {wrong[0]!r}", "Return a text, not empty.")
    if len(set(ids)) < len(ids):
        return failure("external_id", "different products have the same id", remedy)
    return ids


def _live(catalog: Catalog, ids: Sequence[str]) -> Mapping[str, Any] | Finding:
    """The products as pages read them, for nobody and for somebody."""
    live: Any = {}
    for request in (None, anonymous_request()):
        try:
            live = catalog.in_bulk(ids, request)
        except Exception as error:
            return failure("in_bulk", f"{_without(request)}{message_of(error)}", _rewritten("in_bulk", BY_ID))
        if not isinstance(live, Mapping):
            return failure("in_bulk", f"it returned {kind_of(live)}", BY_ID)
    if not set(live) & set(ids):
        return failure("in_bulk", f"none of the ids that external_id gives is found, such as {ids[0]!r}", BY_ID)
    return live


def _tried(catalog: Catalog, method: Method, sample: Sequence[Any]) -> Finding:
    with QueryCount() as queries:
        problems = list(_problems(catalog, method, sample, anonymous_request()))
    if not problems and method.takes_request and (without := list(_problems(catalog, method, sample, None))):
        problem = without[0]
        message = f"{_without(None)}product {problem.product}: {problem.message}"
        return warning(method.name, message, problem.remedy)
    if problems:
        problem = next((each for each in problems if each.level is Level.FAILURE), problems[0])
        is_general = problem.is_data and len(problems) == len(sample)
        make = failure if problem.level is Level.FAILURE or is_general else warning
        count = f" ({len(problems)} of {len(sample)} products)" if len(problems) > 1 else ""
        return make(method.name, f"product {problem.product}: {problem.message}{count}", problem.remedy)
    if method.on_pages and queries.total >= len(sample) > 1:
        remedy = "Read what it needs in live_products or in_bulk, with select_related or prefetch_related."
        return warning(method.name, f"it makes {queries.total} queries for {len(sample)} products of a page", remedy)
    text = repr(method.call(catalog, sample[0], anonymous_request()))
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return ok(method.name, f"product {catalog.external_id(sample[0])}: {shown}")


def _problems(
    catalog: Catalog, method: Method, sample: Sequence[Any], request: HttpRequest | None
) -> Iterator[Problem]:
    expected = f"Return {method.expected}."
    for product in sample:
        name = catalog.external_id(product)
        try:
            value = method.call(catalog, product, request)
        except DataError as error:
            remedy = method.remedy or expected
            yield Problem(product=name, message=str(error), remedy=remedy, level=Level.WARNING, is_data=True)
        except Exception as error:
            remedy = method.remedy or _rewritten(method.name, expected)
            yield Problem(product=name, message=message_of(error), remedy=remedy)
        else:
            if not method.is_valid(value):
                level = Level.WARNING if method.is_tolerated(value) else Level.FAILURE
                message = f"it returned {kind_of(value)} {value!r}"
                yield Problem(product=name, message=message, remedy=expected, level=level)


def _rewritten(name: str, expected: str) -> str:
    parameters = ", ".join(inspect.signature(getattr(Catalog, name)).parameters)
    return f"Correct def {name}({parameters}). {expected}"


def _without(request: HttpRequest | None) -> str:
    return "without a request (None, as pages for staff have none): " if request is None else ""


def _offered(catalog: Catalog, sample: Sequence[Any]) -> Iterator[Finding]:
    """Whether anything of the sample can be offered, and opened."""
    request, name = anonymous_request(), type(catalog).__name__
    try:
        prices = [customer_price(catalog, product, request) for product in sample]
        is_available = any(catalog.available(product, request) for product in sample)
        is_linked = any(catalog.url(product) for product in sample)
    except Exception:
        # Said of these methods already.
        return
    unknown = sum(price is None for price in prices)
    if unknown and catalog.price_field is not None:
        make = failure if unknown == len(sample) else warning
        remedy = f"Return a price; in a shop without prices set {name}.price_field = None."
        yield make("price", f"it is None for {unknown} of {len(sample)} products, which are not offered", remedy)
    if not is_available:
        remedy = f"Correct {name}.available, or the field that {name}.stock names."
        yield failure("available", f"none of {len(sample)} products can be bought, so nothing is offered", remedy)
    if not is_linked:
        remedy = f"Give the products get_absolute_url, or override {name}.url."
        yield warning("url", f"none of {len(sample)} products has an address, so offers have no link", remedy)


def _cart(catalog: Catalog) -> Finding:
    remedy = "Return the external ids of the products in the cart, () for an empty one."
    if type(catalog).cart is Catalog.cart:
        remedy = f"Override {type(catalog).__name__}.cart. {remedy}"
        return warning("cart", "it is always empty, so products are offered that lie in the cart", remedy)
    try:
        ids = cart_ids(catalog, anonymous_request())
    except Exception as error:
        return failure("cart", message_of(error), remedy)
    return ok("cart", f"{len(ids)} products in the cart of a new visitor")
