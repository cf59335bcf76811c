"""Many requests at once: the lists and the products of a whole chunk are read together, then judged as on a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..catalog.adapter import Catalog
from ..conf import conf
from ..errors import ConfigurationError, DataError
from ..models import Item
from ..models.bulk import chunks
from ..strategies.base import Offer
from .guard import Kept
from .offers import MOST_OFFERS, beside, candidates, guard_of
from .page import Page
from .registry import strategy_named
from .stored import Stored, read_beside, read_general
from .terms import Facts

REQUESTS_AT_ONCE = 1_000
IDS_AT_ONCE = 2_000
# Past real baskets, of which the largest hold two hundred; a page looks at fewer, because somebody waits for it.
MOST_ITEMS = 500


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """One row of a requests file. The visitor is read, but does not change the offers."""

    line: int
    request: str
    strategy: str
    items: tuple[str, ...]
    visitor: str
    limit: int


def parse(line: int, row: Mapping[str, str | None]) -> BatchRequest:
    """A row as a request; raises DataError saying what is wrong with it."""
    values = {name: (row.get(name) or "").strip() for name in ("request", "strategy", "items", "visitor", "limit")}
    if not values["request"]:
        raise DataError("request is empty")
    strategy = values["strategy"].replace("-", "_")
    try:
        strategy_named(strategy)
    except ConfigurationError as error:
        raise DataError(str(error)) from error
    items = tuple(dict.fromkeys(item for item in map(str.strip, values["items"].split("|")) if item))
    if len(items) > MOST_ITEMS:
        raise DataError(f"{len(items)} items are too many: at most {MOST_ITEMS}")
    return BatchRequest(line, values["request"], strategy, items, values["visitor"], _limit(values["limit"]))


def _limit(text: str) -> int:
    if not text:
        return conf.LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MOST_OFFERS):
        raise DataError(f"limit {text!r} is not a whole number from 1 to {MOST_OFFERS}")
    return int(text)


def recommend(requests: Iterable[BatchRequest]) -> Iterator[tuple[BatchRequest, list[Kept] | DataError]]:
    """Each request with its offers, best first, or with what was wrong; in the order given."""
    catalog = conf.CATALOG()
    for chunk in chunks(requests, REQUESTS_AT_ONCE):
        yield from _recommend_chunk(catalog, chunk)


def _recommend_chunk(
    catalog: Catalog, chunk: Sequence[BatchRequest]
) -> Iterator[tuple[BatchRequest, list[Kept] | DataError]]:
    lists = _lists(chunk)
    page = Page(catalog, None)
    stored = [{item: lists[one.strategy, item] for item in _owners(one)} for one in chunk]
    guards = [
        guard_of(page, strategy_named(one.strategy), own, one.items) for one, own in zip(chunk, stored, strict=True)
    ]
    anchors = {item for one in chunk for item in one.items}
    listed = [candidates(own) for own in stored]
    facts = _facts(page, anchors, listed)
    for one, guard in zip(chunk, guards, strict=True):
        guard.terms = page.rulebook.terms(one.strategy).beside(one.items, facts)
    wanted = [guard.sift(guard.terms.boosted(some)) for guard, some in zip(guards, listed, strict=True)]
    live = _live(catalog, [*anchors, *(offer.item for some in wanted for offer, rule in some if rule is None)])
    strangers = _strangers(anchors - live.keys())
    for one, own, guard, some in zip(chunk, stored, guards, wanted, strict=True):
        # As on a page, a cart's one product that is gone does not take the offers of the others along.
        if one.items and strangers.issuperset(one.items):
            yield one, DataError(f"unknown item: {', '.join(one.items)}")
            continue
        guard.choose(some, live, beside(page, {item: live.get(item) for item in one.items}, own), one.limit)
        yield one, guard.kept


def _facts(page: Page, anchors: set[str], listed: Iterable[Sequence[Offer]]) -> dict[str, Facts]:
    """What the merchant's rules ask of the mirror; nothing where there are none."""
    if not page.rulebook.rules:
        return {}
    return page.rulebook.facts([*anchors, *(offer.item for some in listed for offer in some)])


def _strangers(items: set[str]) -> set[str]:
    """Those that the mirror does not know either."""
    for ids in chunks(sorted(items), IDS_AT_ONCE):
        items = items - set(Item.objects.filter(external_id__in=ids).values_list("external_id", flat=True))
    return items


def _lists(chunk: Sequence[BatchRequest]) -> dict[tuple[str, str], Stored]:
    found: dict[tuple[str, str], Stored] = {}
    for strategy in dict.fromkeys(one.strategy for one in chunk):
        read = read_beside if strategy_named(strategy).needs_anchor else read_general
        owners = dict.fromkeys(owner for one in chunk if one.strategy == strategy for owner in _owners(one))
        for ids in chunks(owners, IDS_AT_ONCE):
            found |= {(strategy, item): stored for item, stored in read(strategy, ids).items()}
    return found


def _owners(one: BatchRequest) -> tuple[str, ...]:
    """Of which lists the offers are: those of its items, or the one for everybody."""
    return one.items if strategy_named(one.strategy).needs_anchor else ("",)


def _live(catalog: Catalog, items: Iterable[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for ids in chunks(dict.fromkeys(items), IDS_AT_ONCE):
        found |= catalog.in_bulk(ids, None)
    return found
