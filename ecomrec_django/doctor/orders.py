"""A dry run of the adapter's methods on real orders and reviews. Nothing is stored, and no person is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

from django.utils import timezone

from ..catalog.adapter import Catalog, PurchaseLine
from ..catalog.paths import model_named
from ..catalog.validation import kind_of
from ..errors import DataError
from ..failures import RecordLog, message_of
from ..tracking.importers.lines import PurchaseValidator, clean_review, name_of
from .findings import Finding, failure, ok, warning

# Records that are read at most.
SAMPLE = 200
# Least orders of which a share is said.
MIN_ORDERS = 20


def orders(catalog: Catalog) -> Iterator[Finding]:
    """``purchases``, and ``order_lines`` of the latest order."""
    if type(catalog).purchases is Catalog.purchases:
        remedy = f"Override {type(catalog).__name__}.purchases, or import events with manage.py ecomrec_import."
        yield warning("purchases", "it is not overridden, so training has no orders to learn from", remedy)
        return
    lines, error = _read(lambda: catalog.purchases(None))
    yield from _lines(catalog, "purchases", lines, error)
    yield from _known_guests(lines)
    _, later_error = _read(lambda: catalog.purchases(timezone.now() - timedelta(days=1)))
    if error is None and later_error is not None:
        message = f"with a time as since it fails: {message_of(later_error)}"
        yield failure("purchases", message, "Correct how it filters orders by since.")
    yield from _latest_order(catalog)


def reviews(catalog: Catalog) -> Iterator[Finding]:
    """``reviews``, and ``review_line`` of the latest review."""
    if type(catalog).reviews is not Catalog.reviews:
        records, error = _read(lambda: catalog.reviews(None))
        yield from _reviews("reviews", records, error)
    if catalog.review_model is not None:
        row = _latest(catalog.review_model)
        if row is not None:
            record, error = _read(lambda: [catalog.review_line(row)])
            yield from _reviews("review_line", [each for each in record if each is not None], error)


def _read(records: Any) -> tuple[list[Any], Exception | None]:
    """The first records of what a method yields, and what it raised."""
    read: list[Any] = []
    try:
        iterable = records()
        if not isinstance(iterable, Iterable) or isinstance(iterable, str):
            raise DataError(f"it returned {kind_of(iterable)}: yield the records, or return a list of them.")
        for record in islice(iterable, SAMPLE):
            read.append(record)  # noqa: PERF402  what was read before an error counts
    except Exception as error:
        return read, error
    return read, None


def _lines(catalog: Catalog, method: str, lines: list[Any], error: Exception | None) -> Iterator[Finding]:
    yield from _broken_off(method, lines, error)
    if not lines:
        if error is None:
            remedy = "Without orders, training has nothing to learn from; see ecomrec_import for events of your own."
            yield warning(method, "there are no orders", remedy)
        return
    log = RecordLog("Order line")
    valid = PurchaseValidator(catalog, log).valid(lines)
    yield from _refused(method, log, len(lines))
    if valid:
        yield ok(method, f"{len(valid)} of {len(lines)} lines are valid, such as {name_of(valid[0])}")
        yield from _known_items(catalog, valid)


def _broken_off(method: str, records: list[Any], error: Exception | None) -> Iterator[Finding]:
    if error is not None:
        after = f"after {len(records)} records, the last of which is {name_of(records[-1])}, " if records else ""
        remedy = "Correct it; until then each import stops here."
        yield failure(method, f"{after}it fails: {message_of(error)}", remedy)


def _refused(method: str, log: RecordLog, total: int) -> Iterator[Finding]:
    make = failure if log.skipped == total else warning
    for reason in log.reasons:
        yield make(method, f"skipped: {reason}", "An import skips these records.")
    for remark in log.remarks:
        yield warning(method, f"{remark}", "These records are imported unchanged.")


def _known_items(catalog: Catalog, lines: list[PurchaseLine]) -> Iterator[Finding]:
    # Products that were deleted have none.
    ids = sorted({line.item for line in lines if line.item})
    if not ids:
        return
    try:
        is_known = bool(catalog.in_bulk(ids, None))
    except Exception:
        # Said of in_bulk already.
        return
    if not is_known:
        remedy = f"PurchaseLine.item has to be what external_id returns, the value of {type(catalog).__name__}.key."
        yield failure("purchases", f"the catalog knows none of the products sold, such as {ids[0]!r}", remedy)


def _known_guests(lines: list[Any]) -> Iterator[Finding]:
    orders = {line.order: bool(line.user or line.guest) for line in lines if isinstance(line, PurchaseLine)}
    unknown = len(orders) - sum(orders.values())
    if len(orders) >= MIN_ORDERS and 2 * unknown > len(orders):
        message = f"{unknown} of {len(orders)} orders are from guests who cannot be told apart"
        remedy = "Give PurchaseLine.guest = guest_hash(email): until then, all of them count as few customers."
        yield warning("purchases", message, remedy)


def _latest(label: str) -> Any:
    return model_named(label)._default_manager.order_by("-pk").first()


def _latest_order(catalog: Catalog) -> Iterator[Finding]:
    if catalog.order_model is None:
        return
    row = _latest(catalog.order_model)
    if row is None:
        return
    lines, error = _read(lambda: catalog.order_lines(row))
    yield from _lines(catalog, "order_lines", lines, error)
    number = str(getattr(row, catalog.order_key, ""))
    numbers = {str(line.order) for line in lines if isinstance(line, PurchaseLine)}
    if numbers and number not in numbers:
        remedy = f"{type(catalog).__name__}.order_key has to name the field that PurchaseLine.order holds."
        yield warning("order_key", f"its lines are of order {min(numbers)!r}, and order_key says {number!r}", remedy)


def _reviews(method: str, records: list[Any], error: Exception | None) -> Iterator[Finding]:
    yield from _broken_off(method, records, error)
    log = RecordLog("Review")
    for record in records:
        name = name_of(record)
        try:
            clean_review(record, lambda message, name=name: log.remark(name, message))  # type: ignore[misc]
        except DataError as refusal:
            log.skip(name, refusal)
    yield from _refused(method, log, len(records))
    if log.skipped < len(records):
        yield ok(method, f"{len(records) - log.skipped} of {len(records)} reviews are valid")
