"""Offers on a page: stored lists, re-checked against the live shop. Two queries; never an exception."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest

from ..catalog.adapter import Catalog
from ..catalog.categories import digest_of
from ..conf import conf
from ..strategies.base import Anchor, Offer, Reason, Strategy, decode_offers
from .beside import Beside
from .bundle import Bundle, bundle_of
from .failures import note_failure
from .guard import Candidate, Guard, Kept, LeftOut
from .page import Page, page_of
from .personal import personal
from .reasons import sentence, upgrade_sentence
from .registry import strategy_named
from .rotation import rotated
from .stored import Stored, stored_for
from .terms import Terms
from .tokens import seal_block
from .variants import NOWHERE, Place

MOST_ANCHORS = 50
MOST_OFFERS = 20
# Live products read in one query beside a cart, whose lists hold hundreds.
MOST_AT_ONCE = 60
# What stands in where there is nothing to offer something beside.
FALLBACK = "for_you"


@dataclass(frozen=True, slots=True)
class BlockOffer:
    """One offer, ready to be shown. ``price`` is what this customer pays, ``more`` how much that is above the price of
    the one product it stands beside, None beside several; ``score`` has no unit."""

    item: str
    product: Any
    title: str
    url: str
    image: str
    price: Any
    price_text: str
    reason: str
    score: float
    more: Any = None
    more_text: str = ""


@dataclass(frozen=True)
class OfferBlock:
    """The offers of one strategy; empty if nothing sound is left. ``anchor``: see `tokens.SealedBlock`."""

    strategy: str
    release: int | None = None
    offers: list[BlockOffer] = field(default_factory=list)
    anchor: str = ""
    place: Place = NOWHERE
    bundle: Bundle | None = None

    def __bool__(self) -> bool:
        return bool(self.offers)

    @cached_property
    def token(self) -> str:
        """What a browser reports this block with; "" for an empty one."""
        if not self.offers:
            return ""
        items = [offer.item for offer in self.offers]
        return seal_block(self.strategy, self.release, self.anchor, items, self.place.arm, self.place.slot)


@dataclass(frozen=True)
class Examination:
    """What the guard kept and left out, each with its rule, of the ``candidates``, best first; ``anchors``: external id
    -> live product, None if gone."""

    release: int | None
    kept: list[Kept]
    left_out: list[LeftOut]
    anchors: Mapping[str, Any]
    candidates: Sequence[Candidate]


def offers(
    request: HttpRequest | None,
    strategy: str,
    anchors: Iterable[Any] | None = None,
    limit: int | None = None,
    category: Any = None,
) -> OfferBlock:
    """The block of ``strategy`` beside ``anchors`` (external ids or live products; None: the customer's cart).

    A strategy without anchors offers what is of ``category`` (what `Catalog.category_path` takes), or of the whole shop
    if None. Beside an empty cart the block is one "for you". Whatever fails inside is logged and counted, and the block
    is empty.
    """
    try:
        catalog = conf.CATALOG()
        page = page_of(request, catalog)
        if strategy_named(strategy).needs_anchor and anchors is None and not page.cart:
            strategy = FALLBACK if FALLBACK in conf.STRATEGIES else strategy
        block = block_of(page, strategy, anchors, limit, category)
        page.show(offer.item for offer in block.offers)
    except Exception as error:
        note_failure(strategy, error)
        return OfferBlock(strategy)
    return block


def block_of(
    page: Page,
    strategy: str,
    anchors: Iterable[Any] | None,
    limit: int | None,
    category: Any = None,
    place: Place = NOWHERE,
) -> OfferBlock:
    """As `offers`, but raising what fails, and without claiming its offers for the page."""
    given = page.cart if anchors is None else list(anchors)
    found = examine(page, strategy, given, conf.LIMIT if limit is None else limit, category, place)
    only = "" if anchors is None else _only(page.catalog, given)
    beside = Beside.of(page.catalog, page.request, found.anchors.get(only))
    kept = [present(page.catalog, page.request, one, beside) for one in found.kept]
    bundle = None
    if strategy_named(strategy).bundles and (only or anchors is None):
        bundle = bundle_of(
            page.catalog,
            page.request,
            (only, beside) if only else None,
            [(offer.item, offer.price) for offer in kept],
        )
    return OfferBlock(strategy, found.release, kept, only, place, bundle)


def examine(
    page: Page,
    strategy: str,
    anchors: Iterable[Any],
    limit: int,
    category: Any = None,
    place: Place = NOWHERE,
) -> Examination:
    """The guard's verdicts, best candidate first, until ``limit`` are kept. Raises what the shop or database raises.

    The stored lists and the live products cost a query each. Where a cache knows the lists, few products are read at
    first, and the others only if those do not fill the block: two queries again. A shopper who agreed to be known costs
    a third, once a page; rules about categories, brands, attributes or margins one for the items they are asked about.
    """
    rules = strategy_named(strategy)
    given = anchors_by_id(page.catalog, anchors) if rules.needs_anchor else {}
    if rules.needs_anchor:
        stored, cached = stored_for(strategy, list(given))
    else:
        digest = digest_of(page.catalog.category_path(category)) if category else ""
        stored, cached = stored_for(strategy, [digest], general=True)
    asked = page.rulebook.asks_segment or asks_segment(stored)
    segment = page.customer.segment if asked and page.customer is not None else None
    guard = guard_of(page, rules, stored, given, segment)
    guard.band = place.variant.band
    personally = _personally(page, rules, stored, list(given), place)
    listed: Sequence[Offer] = candidates(stored, segment, personally)
    guard.terms = terms_of(page, strategy, place.slot, segment, listed, given)
    unknown = [item for item, product in given.items() if product is None]
    live: dict[str, Any] = {}
    if guard.terms.boosts_stock:
        live = _live_of_first(page, guard.sift(listed), unknown)
        stocks = {item: page.catalog.stock_level(product) for item, product in live.items()}
        listed = guard.terms.boosted(listed, stocks)
    else:
        listed = guard.terms.boosted(listed)
    # Only what is ordered for who asks looks who it is.
    wanted = guard.sift(rotated(listed, page.ignored) if rules.task else listed)
    for some in _windows(wanted, limit + limit // 2 if cached and not live else MOST_AT_ONCE):
        if not some or len(guard.kept) >= limit:
            break
        if needed := [offer.item for offer, rule in some if rule is None and offer.item not in live]:
            live |= page.catalog.in_bulk([*needed, *unknown], page.request)
        given |= {item: live.get(item) for item in unknown}
        unknown = []
        guard.choose(some, live, beside(page, given, stored), limit)
    return Examination(release_of(stored), guard.kept, guard.left_out, given, wanted)


def terms_of(
    page: Page, strategy: str, slot: str, segment: int | None, listed: Sequence[Offer], anchors: Iterable[str]
) -> Terms:
    """The merchant's rules that hold for a block beside ``anchors``, with what they need to know of the offers."""
    terms = page.rulebook.terms(strategy, slot, segment or 0)
    if not terms.asks_mirror:
        return terms
    beside = list(anchors)
    return terms.beside(beside, page.rulebook.facts([*beside, *(offer.item for offer in listed)]))


def _live_of_first(page: Page, wanted: list[Candidate], unknown: Sequence[str]) -> dict[str, Any]:
    first, _ = _windows(wanted, MOST_AT_ONCE)
    return page.catalog.in_bulk([*(one.offer.item for one in first if one.rule is None), *unknown], page.request)


def _personally(
    page: Page, rules: Strategy, stored: Mapping[str, Stored], anchors: Sequence[str], place: Place
) -> Callable[[Sequence[Offer]], Sequence[Offer]]:
    """What orders a block's offers for who asks; leaves them as they are where nothing is known, or where it fails."""

    def ordered(listed: Sequence[Offer]) -> Sequence[Offer]:
        try:
            if not rules.task or page.known is None:
                return listed
            category = next((one.category for one in stored.values()), 0) or None
            if not rules.needs_anchor and category is None and "" not in stored:
                # A category that nothing is known of is not the whole shop.
                return listed
            dial = place.variant.discovery
            found = personal(page.known, rules, anchors, listed, category, conf.DISCOVERY if dial is None else dial)
            if found is None:
                return listed
            if conf.REVIEW == "auto":
                return found
            # Nothing is shown that nobody approved.
            approved = {offer.item for offer in listed}
            return [offer for offer in found if offer.item in approved]
        except Exception as error:
            note_failure("personal", error, "Offers are not personal")
            return listed

    return ordered


def asks_segment(stored: Mapping[str, Stored]) -> bool:
    return any(one.asks_segment for one in stored.values())


def guard_of(
    page: Page, rules: Strategy, stored: Mapping[str, Stored], anchors: Iterable[str], segment: int | None = None
) -> Guard:
    """``segment``: Segment.pk of who asks, for the blocks that hold for it alone."""
    aisles = {item: stored[item].aisle if item in stored else 0 for item in anchors}
    several = stored.items() if len(aisles) > 1 else ()
    lists = {item: frozenset(offer.item for offer in _decoded(one.offers)) for item, one in several}
    blocked = frozenset(item for one in stored.values() for item, of in one.blocked if of in (0, segment))
    whole_shop = not rules.needs_anchor and not any(one.category for one in stored.values())
    return Guard(page, rules, aisles, lists, blocked, whole_shop)


def beside(page: Page, known: Mapping[str, Any], stored: Mapping[str, Stored]) -> list[Anchor]:
    """The anchors (external id -> live product, or None) as the strategy's rules see them."""
    return [
        Anchor(item, _price(page, product), stored[item].aisle if item in stored else 0)
        for item, product in known.items()
    ]


def _price(page: Page, product: Any) -> float | None:
    price = None if product is None else page.catalog.price(product, page.request)
    return None if price is None else float(price)


def release_of(stored: Mapping[str, Stored]) -> int | None:
    return next((one.release for one in stored.values() if one.release is not None), None)


def _windows(wanted: list[Candidate], size: int) -> tuple[list[Candidate], list[Candidate]]:
    """``wanted`` cut behind the first ``size`` candidates whose live product has to be looked at."""
    sound = 0
    for at, candidate in enumerate(wanted):
        if candidate.rule is None:
            sound += 1
            if sound > size:
                return wanted[:at], wanted[at:]
    return wanted, []


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


def _only(catalog: Catalog, anchors: Iterable[Any]) -> str:
    """External id of the one anchor; "" if there are several."""
    first, *others = anchors_by_id(catalog, anchors) or [""]
    return "" if others else first


def candidates(
    stored: Mapping[str, Stored],
    segment: int | None = None,
    ordered: Callable[[Sequence[Offer]], Sequence[Offer]] = lambda listed: listed,
) -> list[Offer]:
    """Pins in order, then the anchors' lists by summed score, as ``ordered`` for who asks."""
    pins = {
        item: Offer(item, 0.0, Reason.PINNED, aisle, ())
        for one in stored.values()
        for item, aisle, of in one.pins
        if of in (0, segment)
    }
    ranked = ordered(_merged([_decoded(one.offers) for one in stored.values()]))
    return [*pins.values(), *(offer for offer in ranked if offer.item not in pins)]


@lru_cache(maxsize=512)
def _decoded(text: str) -> tuple[Offer, ...]:
    """The offers of a list. Many visitors look at few products, so the latest lists are not taken apart again."""
    return tuple(decode_offers(text))


def _merged(lists: Sequence[Sequence[Offer]]) -> Sequence[Offer]:
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


def present(catalog: Catalog, request: HttpRequest | None, kept: Kept, beside: Beside | None = None) -> BlockOffer:
    """What a template or the API shows of an offer; ``beside``: the one live product that it stands beside."""
    offer, product, price = kept
    more = None if price is None or beside is None or beside.price is None else price - beside.price
    return BlockOffer(
        offer.item,
        product,
        catalog.display_title(product),
        safe_url(catalog.url(product)),
        safe_url(catalog.image_url(product)),
        price,
        "" if price is None else catalog.format_price(price, request),
        upgrade_sentence(catalog, offer, product, price, beside) or sentence(offer),
        offer.score,
        more,
        "" if more is None else _signed(catalog, more, request),
    )


def _signed(catalog: Catalog, more: Any, request: HttpRequest | None) -> str:
    text = catalog.format_price(abs(more), request)
    return f"+{text}" if more >= 0 else f"−{text}"


def safe_url(url: str) -> str:
    """``url`` if a browser would fetch it over HTTP; empty for ``javascript:`` and its kin."""
    cleaned = url if url.isprintable() else "".join(letter for letter in url if letter.isprintable())
    cleaned = cleaned.strip()
    if cleaned.startswith("/"):
        return cleaned
    try:
        scheme = urlsplit(cleaned).scheme.lower()
    except ValueError:
        return ""
    return cleaned if scheme in {"", "http", "https"} else ""
