"""Many requests at once: the lists and the products of a whole chunk are read together, then judged as on a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..catalog.adapter import Catalog
from ..conf import conf
from ..db import chunks
from ..errors import ConfigurationError, DataError
from ..models import Item
from ..strategies.base import Offer
from .batch_shoppers import Audience, PublishedModel, Shopper, shoppers_by_name
from .frequency_cap import demote_ignored
from .guard import CheckedOffer, EligibleOffer
from .offer_store import StoredList, read_category_lists, read_item_lists
from .page import Page
from .registry import strategy_named
from .rules import ItemAttributes
from .selection import SELECTION, BlockDraft, candidates, guard_of, live_anchors, ordering_of, windows
from .shopper_context import ShopperContext
from .variants import MAX_OFFERS

CHUNK_REQUESTS = 1_000
CHUNK_IDS = 2_000
# Past real baskets, of which the largest hold two hundred; a page looks at fewer, because somebody waits for it.
MAX_ITEMS = 500
# Live products read first, for each offer that a request may get.
FIRST_CANDIDATES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """One row of a requests file.

    line: its number in the file.
    request: what the file calls it.
    strategy: its name in the settings.
    items: external ids of the anchors.
    visitor: whose offers these are, see `batch_shoppers.visitor_keys`; "" for nobody's.
    limit: offers at most.
    """

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
    if len(items) > MAX_ITEMS:
        raise DataError(f"{len(items)} items are too many: at most {MAX_ITEMS}")
    return BatchRequest(
        line=line,
        request=values["request"],
        strategy=strategy,
        items=items,
        visitor=values["visitor"],
        limit=_limit(values["limit"]),
    )


def _limit(text: str) -> int:
    if not text:
        return conf.LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_OFFERS):
        raise DataError(f"limit {text!r} is not a whole number from 1 to {MAX_OFFERS}")
    return int(text)


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The answer to one request.

    request: what was asked.
    offers: best first; or what was wrong.
    audience: how its visitor was treated, None for nobody.
    """

    request: BatchRequest
    offers: list[EligibleOffer] | DataError
    audience: Audience | None = None


def recommend(requests: Iterable[BatchRequest], *, known_only: bool = False) -> Iterator[BatchResult]:
    """The answers in the order given, as pages give them; ``known_only``: without those that are not personal."""
    catalog = conf.CATALOG()
    for chunk in chunks(requests, CHUNK_REQUESTS):
        published = PublishedModel.current()
        shoppers = shoppers_by_name((request.visitor for request in chunk if request.visitor), published)
        if known_only:
            chunk = [request for request in chunk if shoppers[request.visitor].audience is Audience.PERSONAL]
        yield from _recommend_chunk(catalog, chunk, shoppers)


def _recommend_chunk(
    catalog: Catalog, chunk: Sequence[BatchRequest], shoppers: Mapping[str, Shopper]
) -> Iterator[BatchResult]:
    pages = _Pages(catalog, shoppers)
    drafts = _drafts(pages, chunk)
    anchors = {item for request in chunk for item in request.items}
    listed = [pages.candidates(draft) for draft in drafts]
    attributes = _item_attributes(pages.nobody, anchors, listed)
    guards = [
        guard_of(
            draft,
            pages.nobody.rulebook.active_rules(draft.name, segment=draft.segment or 0).for_anchors(
                request.items, attributes
            ),
        )
        for request, draft in zip(chunk, drafts, strict=True)
    ]
    checked = [
        guard.precheck(_ordered(draft, guard.rules.boosted(offers)))
        for guard, draft, offers in zip(guards, drafts, listed, strict=True)
    ]
    # As on a page, few products are read at first, and the others for the blocks that those do not fill.
    halves = [windows(offers, FIRST_CANDIDATES * request.limit) for request, offers in zip(chunk, checked, strict=True)]
    live = _live_products(catalog, [*anchors, *_needed(first for first, _ in halves)])
    unknown = _not_mirrored(anchors - live.keys())
    products = [{item: live.get(item) for item in request.items} for request in chunk]
    for index in range(2):
        if index:
            rest = (halves[at][1] for at, guard in enumerate(guards) if len(guard.eligible) < chunk[at].limit)
            live |= _live_products(catalog, _needed(rest) - live.keys())
        for request, draft, guard, half, own in zip(chunk, drafts, guards, halves, products, strict=True):
            guard.choose(half[index], live, live_anchors(draft, own), request.limit)
    for request, guard in zip(chunk, guards, strict=True):
        audience = shoppers[request.visitor].audience if request.visitor else None
        # As on a page, a cart's one product that is gone does not take the offers of the others along.
        if request.items and unknown.issuperset(request.items):
            yield BatchResult(request, DataError(f"unknown item: {', '.join(request.items)}"), audience)
        else:
            yield BatchResult(request, [] if audience is Audience.EXCLUDED else guard.eligible, audience)


class _Pages:
    """The pages of a chunk: one for each shopper whose offers are personal, and one for all others.

    nobody: the page of somebody of whom nothing is known.
    """

    def __init__(self, catalog: Catalog, shoppers: Mapping[str, Shopper]) -> None:
        self._shoppers = shoppers
        self.nobody = self._page(catalog, None)
        self._pages = {name: self._page(catalog, shopper.context) for name, shopper in shoppers.items()}

    def _page(self, catalog: Catalog, context: ShopperContext | None) -> Page:
        page = Page(catalog=catalog, waits=True)
        page.shopper = context
        return page

    def of(self, request: BatchRequest) -> Page:
        """The page of a request's visitor."""
        return self._pages[request.visitor] if request.visitor else self.nobody

    def candidates(self, draft: BlockDraft) -> list[Offer]:
        """The offers of a draft, in the order for its visitor."""
        offers = candidates(draft, SELECTION.personalise)
        # What is computed of one shopper is not kept for the rest of the chunk.
        draft.page.contexts.clear()
        return offers


def _ordered(draft: BlockDraft, offers: Sequence[Offer]) -> Sequence[Offer]:
    return demote_ignored(offers, draft.page.ignored) if draft.strategy.ranker else offers


def _needed(checked: Iterable[Sequence[CheckedOffer]]) -> set[str]:
    """The items whose live product has to be looked at."""
    return {offer.item for offers in checked for offer, violation in offers if violation is None}


def _drafts(pages: _Pages, chunk: Sequence[BatchRequest]) -> list[BlockDraft]:
    lists = _stored_lists(chunk)
    drafts = []
    for request in chunk:
        page = pages.of(request)
        draft = BlockDraft(
            page=page,
            name=request.strategy,
            strategy=strategy_named(request.strategy),
            anchors=request.items,
            subjects=frozenset(request.items),
            stored={owner: lists[request.strategy, owner] for owner in _owners(request)},
            segment=page.segment,
        )
        drafts.append(replace(draft, ordering=ordering_of(draft)))
    return drafts


def _item_attributes(page: Page, anchors: set[str], listed: Iterable[Sequence[Offer]]) -> dict[str, ItemAttributes]:
    """What the merchant's rules ask of the mirror; nothing where there are none."""
    if not page.rulebook.rules:
        return {}
    return page.rulebook.item_attributes([*anchors, *(offer.item for offers in listed for offer in offers)])


def _not_mirrored(items: set[str]) -> set[str]:
    """Those that the mirror does not know either."""
    for ids in chunks(sorted(items), CHUNK_IDS):
        items = items - set(Item.objects.filter(external_id__in=ids).values_list("external_id", flat=True))
    return items


def _stored_lists(chunk: Sequence[BatchRequest]) -> dict[tuple[str, str], StoredList]:
    """By strategy and owner."""
    lists: dict[tuple[str, str], StoredList] = {}
    for strategy in dict.fromkeys(request.strategy for request in chunk):
        read = read_item_lists if strategy_named(strategy).needs_anchor else read_category_lists
        requests = [request for request in chunk if request.strategy == strategy]
        for ids in chunks(dict.fromkeys(owner for request in requests for owner in _owners(request)), CHUNK_IDS):
            lists |= {(strategy, owner): stored for owner, stored in read(strategy, ids).items()}
    return lists


def _owners(request: BatchRequest) -> tuple[str, ...]:
    """Of which lists the offers are: those of its items, or the one for everybody."""
    return request.items if strategy_named(request.strategy).needs_anchor else ("",)


def _live_products(catalog: Catalog, items: Iterable[str]) -> dict[str, Any]:
    products: dict[str, Any] = {}
    for ids in chunks(dict.fromkeys(items), CHUNK_IDS):
        products |= catalog.in_bulk(ids, None)
    return products
