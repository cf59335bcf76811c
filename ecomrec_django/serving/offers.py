"""Offers on a page: stored lists, re-checked against the live shop. At most two queries; never an exception."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest

from ..catalog.adapter import Catalog
from ..conf import conf
from ..strategies.base import Anchor, Offer, Reason, Strategy, decode_offers
from .guard import Guard, Kept, LeftOut
from .page import Page, page_of
from .reasons import sentence
from .registry import strategy_named
from .stored import Stored, stored_for

logger = logging.getLogger(__name__)

# Failures since this process started, by strategy and exception; the first of each is logged.
failures: Counter[tuple[str, str]] = Counter()
MOST_ANCHORS = 50
MOST_OFFERS = 20


@dataclass(frozen=True, slots=True)
class BlockOffer:
    """One offer, ready to be shown. ``price`` is what this customer pays; ``score`` has no unit."""

    item: str
    product: Any
    title: str
    url: str
    image: str
    price: Any
    price_text: str
    reason: str
    score: float


@dataclass(frozen=True)
class OfferBlock:
    """The offers of one strategy; empty if nothing sound is left."""

    strategy: str
    release: int | None = None
    offers: list[BlockOffer] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.offers)


@dataclass(frozen=True)
class Examination:
    """What the guard kept and left out, each with its rule."""

    release: int | None
    kept: list[Kept]
    left_out: list[LeftOut]


def offers(request: HttpRequest | None, strategy: str, anchors: Iterable[Any], limit: int | None = None) -> OfferBlock:
    """The block of ``strategy`` beside ``anchors`` (external ids or live products).

    Whatever fails inside is logged and counted, and the block is empty.
    """
    try:
        catalog = conf.CATALOG()
        page = page_of(request, catalog)
        found = examine(page, strategy, anchors, conf.LIMIT if limit is None else limit)
        block = OfferBlock(strategy, found.release, [present(catalog, request, kept) for kept in found.kept])
        page.shown.update(offer.item for offer in block.offers)
    except Exception as error:
        note_failure(strategy, error)
        return OfferBlock(strategy)
    return block


def note_failure(strategy: str, error: Exception) -> None:
    """Count a failure and log its first occurrence: where it happened, but no message, which may hold personal data."""
    kind = type(error).__name__
    failures[strategy, kind] += 1
    if failures[strategy, kind] == 1:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "?"
        logger.error("Block %s is left empty: %s at %s", strategy, kind, place)


def examine(page: Page, strategy: str, anchors: Iterable[Any], limit: int) -> Examination:
    """The guard's verdicts, best candidate first, until ``limit`` are kept. Raises what the shop or database raises."""
    rules = strategy_named(strategy)
    given = anchors_by_id(page.catalog, anchors)
    stored = stored_for(strategy, list(given))
    wanted = candidates(stored, limit)
    if limit < 1 or not wanted:
        return Examination(_release(stored), [], [])
    unknown = [item for item, product in given.items() if product is None]
    live = page.catalog.in_bulk([*(offer.item for offer in wanted), *unknown], page.request)
    known = {item: product if product is not None else live.get(item) for item, product in given.items()}
    return judge(page, rules, stored, known, live, wanted, limit)


def judge(
    page: Page,
    rules: Strategy,
    stored: Mapping[str, Stored],
    known: Mapping[str, Any],
    live: Mapping[str, Any],
    wanted: Iterable[Offer],
    limit: int,
) -> Examination:
    """The guard's verdicts on ``wanted``, beside the anchors ``known`` (id -> live product or None)."""
    beside = [
        Anchor(item, _price(page, product), stored[item].aisle if item in stored else 0)
        for item, product in known.items()
    ]
    blocked = frozenset(item for one in stored.values() for item in one.blocked)
    guard = Guard(page.catalog, page.request, rules, beside, live, blocked, frozenset(page.cart), frozenset(page.shown))
    return Examination(_release(stored), *guard.choose(wanted, limit))


def _price(page: Page, product: Any) -> float | None:
    price = None if product is None else page.catalog.price(product, page.request)
    return None if price is None else float(price)


def _release(stored: Mapping[str, Stored]) -> int | None:
    return next((one.release for one in stored.values() if one.release is not None), None)


def anchors_by_id(catalog: Catalog, anchors: Iterable[Any]) -> dict[str, Any]:
    """External id -> live product, or None where only the id was given; each once, at most MOST_ANCHORS."""
    found: dict[str, Any] = {}
    for anchor in anchors:
        known = isinstance(anchor, str | int)
        item = str(anchor) if known else catalog.external_id(anchor)
        found.setdefault(item, None if known else anchor)
        if len(found) == MOST_ANCHORS:
            break
    return found


def candidates(stored: Mapping[str, Stored], limit: int) -> list[Offer]:
    """Pins in order, then the anchors' lists by summed score: enough for the guard to choose ``limit`` from."""
    pins = {item: Offer(item, 0.0, Reason.PINNED, aisle, ()) for one in stored.values() for item, aisle in one.pins}
    ranked = _merged([decode_offers(one.offers) for one in stored.values()])
    window = max(3 * limit, 12)
    return [*pins.values(), *(offer for offer in ranked if offer.item not in pins)][: window + len(pins)]


def _merged(lists: Sequence[list[Offer]]) -> list[Offer]:
    """One list: each item once, under its best offer's reason, by the sum of its scores."""
    if len(lists) == 1:
        return lists[0]
    best: dict[str, Offer] = {}
    sums: Counter[str] = Counter()
    for offer in (offer for one in lists for offer in one):
        sums[offer.item] += offer.score  # type: ignore[assignment]
        if offer.item not in best or offer.score > best[offer.item].score:
            best[offer.item] = offer
    merged = [offer._replace(score=float(sums[item])) for item, offer in best.items()]
    return sorted(merged, key=lambda offer: -offer.score)


def present(catalog: Catalog, request: HttpRequest | None, kept: Kept) -> BlockOffer:
    """What a template or the API shows of an offer."""
    offer, product, price = kept
    return BlockOffer(
        offer.item,
        product,
        catalog.display_title(product),
        safe_url(catalog.url(product)),
        safe_url(catalog.image_url(product)),
        price,
        catalog.format_price(price, request),
        sentence(offer),
        offer.score,
    )


def safe_url(url: str) -> str:
    """``url`` if a browser would fetch it over HTTP; empty for ``javascript:`` and its kin."""
    cleaned = "".join(letter for letter in url if letter.isprintable()).strip()
    try:
        scheme = urlsplit(cleaned).scheme.lower()
    except ValueError:
        return ""
    return cleaned if scheme in {"", "http", "https"} else ""
