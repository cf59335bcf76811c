"""Which offers a block shows: the stored lists, ordered for who asks, under the merchant's rules, past the guard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

from ..catalog.adapter import Catalog
from ..catalog.categories import category_digests
from ..conf import conf
from ..failures import note_failure
from ..strategies.base import LiveProduct, Offer, Reason, Strategy, decode_offers, evidence_of
from ..strategies.objectives import NO_ORDERING, VALUED, Objective, Ordering, with_discovery, with_objective, with_worth
from .anchor_product import live_price, live_product
from .frequency_cap import demote_ignored
from .guard import CheckedOffer, EligibleOffer, Guard, RejectedOffer
from .offer_store import StoredList, category_owner, stored_lists
from .page import Page
from .registry import strategy_named
from .reranking import RankingContext, rerank
from .rules import ActiveRules
from .variants import NO_ASSIGNMENT, SlotAssignment

MAX_ANCHORS = 50
# Live products read in one query beside a cart, whose lists hold hundreds.
MAX_LIVE_PRODUCTS = 60


@dataclass(frozen=True, kw_only=True)
class BlockDraft:
    """A block on its way: what its steps know of it.

    page: whose block it is.
    name: the strategy's name in the settings.
    strategy: that strategy.
    anchors: external ids; empty for a strategy without anchors.
    subjects: external ids of the products on the page, whether the strategy needs an anchor or not.
    stored: the stored lists by external id of an anchor, or by the digest of a category.
    segment: Segment.pk of who asks, None for none, or where nothing depends on it.
    assignment: how the slot is filled.
    ordering: what its offers are ordered by.
    """

    page: Page
    name: str
    strategy: Strategy
    anchors: Sequence[str]
    subjects: frozenset[str]
    stored: Mapping[str, StoredList]
    segment: int | None = None
    assignment: SlotAssignment = NO_ASSIGNMENT
    ordering: Ordering = NO_ORDERING


class ListStore(Protocol):
    """As `offer_store.stored_lists`."""

    def __call__(self, strategy: str, owners: Sequence[str], *, general: bool) -> tuple[dict[str, StoredList], bool]:
        """The lists by owner, and whether no query was needed; ``general``: the owners are categories."""


# The same offers and others, in the order for who asks.
Personaliser: TypeAlias = Callable[[BlockDraft, Sequence[Offer]], Sequence[Offer]]
# The merchant's rules that hold for a block of these offers.
RuleSource: TypeAlias = Callable[[BlockDraft, Sequence[Offer]], ActiveRules]
GuardFactory: TypeAlias = Callable[[BlockDraft, ActiveRules], Guard]
# As `reranking.rerank`.
Reranker: TypeAlias = Callable[
    [RankingContext, Strategy, Sequence[str], Sequence[Offer], int | None, Ordering], list[Offer] | None
]


@dataclass(frozen=True)
class RankerPersonaliser:
    """Orders offers by the strategy's ranker.

    rerank: as `reranking.rerank`.
    """

    rerank: Reranker = rerank

    def __call__(self, draft: BlockDraft, offers: Sequence[Offer]) -> Sequence[Offer]:
        """``offers`` as they are where nothing is known of who asks, or where ranking fails."""
        try:
            return self._ranked(draft, offers)
        except Exception as error:
            note_failure("personal", error, "Offers are not personal")
            return offers

    def _ranked(self, draft: BlockDraft, offers: Sequence[Offer]) -> Sequence[Offer]:
        strategy, stored = draft.strategy, draft.stored
        context = draft.page.ranking_context(draft.name) if strategy.ranker else None
        if context is None:
            return offers
        category = next((stored_list.category for stored_list in stored.values()), 0) or None
        if not strategy.needs_anchor and category is None and "" not in stored:
            # A category that nothing is known of is not the whole shop.
            return offers
        ranked = self.rerank(context, strategy, draft.anchors, offers, category, draft.ordering)
        if ranked is None:
            return offers
        # What one shopper bought is nobody's to approve.
        if conf.REVIEW == "auto" or strategy.personal_only:
            return ranked
        # Nothing is shown that nobody approved.
        approved = {offer.item for offer in offers}
        return [offer for offer in ranked if offer.item in approved]


def active_rules(draft: BlockDraft, offers: Sequence[Offer]) -> ActiveRules:
    """The merchant's rules that hold for a block, with what they need to know of its offers and anchors."""
    rulebook = draft.page.rulebook
    rules = rulebook.active_rules(draft.name, draft.assignment.slot, draft.segment or 0)
    if not rules.asks_mirror:
        return rules
    items = [*draft.anchors, *(offer.item for offer in offers)]
    return rules.for_anchors(draft.anchors, rulebook.item_attributes(items))


def guard_of(draft: BlockDraft, rules: ActiveRules) -> Guard:
    """The guard of one block."""
    stored = draft.stored
    aisles = {item: stored[item].aisle if item in stored else 0 for item in draft.anchors}
    several = stored.items() if len(aisles) > 1 else ()
    return Guard(
        page=draft.page,
        strategy=draft.strategy,
        anchors=aisles,
        subjects=draft.subjects,
        lists={item: frozenset(offer.item for offer in _decoded(each.encoded_offers)) for item, each in several},
        blocked=frozenset(
            item for each in stored.values() for item, segment in each.blocked if segment in (0, draft.segment)
        ),
        whole_shop=not draft.strategy.needs_anchor and not any(each.category for each in stored.values()),
        rules=rules,
        band=draft.assignment.variant.band,
    )


@dataclass(frozen=True)
class Selection:
    """The steps in which a block is filled; each may be handed in.

    store: the lists and overrides.
    personalise: the order for who asks.
    rules: the merchant's rules.
    guard: what is checked of every offer.
    """

    store: ListStore = stored_lists
    personalise: Personaliser = RankerPersonaliser()
    rules: RuleSource = active_rules
    guard: GuardFactory = guard_of


SELECTION = Selection()


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What became of the candidates of one block.

    release: Release.pk of the release whose lists are shown, None for none.
    eligible: offers that keep every rule, best first.
    rejected: those that do not, each with the rule it breaks.
    anchors: external id -> live product, None if gone.
    candidates: all that were looked at or could have been, best first.
    """

    release: int | None
    eligible: list[EligibleOffer]
    rejected: list[RejectedOffer]
    anchors: Mapping[str, Any]
    candidates: Sequence[CheckedOffer]


def examine(
    page: Page,
    strategy: str,
    anchors: Iterable[Any],
    limit: int,
    category: Any = None,
    assignment: SlotAssignment = NO_ASSIGNMENT,
    selection: Selection = SELECTION,
) -> Examination:
    """The guard's verdicts, best candidate first, until ``limit`` are eligible.

    Raises what the shop or database raises.
    The stored lists and the live products cost a query each. Where a cache knows the lists, few products are read at
    first, and the others only if those do not fill the block: two queries again. A shopper who agreed to be known costs
    a third, once a page; rules about categories, brands, attributes or margins one for the items they are asked about.
    """
    products = anchors_by_id(page.catalog, anchors)
    subjects = frozenset(products)
    if not strategy_named(strategy).needs_anchor:
        products = {}
    draft, cached = _draft(page, strategy, list(products), subjects, category, assignment, selection)
    offers: Sequence[Offer] = candidates(draft, selection.personalise)
    guard = selection.guard(draft, selection.rules(draft, offers))
    unknown = [item for item, product in products.items() if product is None]
    live: dict[str, Any] = {}
    if guard.rules.boosts_stock:
        live = _first_live_products(page, guard.precheck(offers), unknown)
        stocks = {item: page.catalog.stock_level(product) for item, product in live.items()}
        offers = guard.rules.boosted(offers, stocks)
    else:
        offers = guard.rules.boosted(offers)
    # Only what is ordered for who asks looks who it is.
    checked = guard.precheck(demote_ignored(offers, page.ignored) if draft.strategy.ranker else offers)
    for window in windows(checked, limit + limit // 2 if cached and not live else MAX_LIVE_PRODUCTS):
        if not window or len(guard.eligible) >= limit:
            break
        needed = [offer.item for offer, violation in window if violation is None and offer.item not in live]
        if needed:
            live |= page.catalog.in_bulk([*needed, *unknown], page.request)
        products |= {item: live.get(item) for item in unknown}
        unknown = []
        guard.choose(window, live, live_anchors(draft, products), limit)
    return Examination(
        release=next((each.release for each in draft.stored.values() if each.release is not None), None),
        eligible=guard.eligible,
        rejected=guard.rejected,
        anchors=products,
        candidates=checked,
    )


def _draft(
    page: Page,
    strategy: str,
    anchors: Sequence[str],
    subjects: frozenset[str],
    category: Any,
    assignment: SlotAssignment,
    selection: Selection,
) -> tuple[BlockDraft, bool]:
    """The draft with its stored lists, and whether these cost no query."""
    general = not strategy_named(strategy).needs_anchor
    owners = [category_owner(category_digests(page.catalog, category) if category else ())] if general else anchors
    stored, cached = selection.store(strategy, owners, general=general)
    draft = BlockDraft(
        page=page,
        name=strategy,
        strategy=strategy_named(strategy),
        anchors=anchors,
        subjects=subjects,
        stored=stored,
        assignment=assignment,
    )
    if page.rulebook.depends_on_segment or any(each.depends_on_segment for each in stored.values()):
        draft = replace(draft, segment=page.segment)
    return replace(draft, ordering=ordering_of(draft)), cached


def ordering_of(draft: BlockDraft) -> Ordering:
    """What an arm says of the order, or else the merchant's rules, the slot and the settings, in this order."""
    variant = draft.assignment.variant
    rule = draft.page.rulebook.discovery(draft.name, draft.assignment.slot, draft.segment or 0)
    dials = (variant.discovery, rule) if draft.assignment.arm else (rule, variant.discovery)
    objectives = draft.strategy.objectives
    wanted = (variant.objective, conf.OBJECTIVE.get(draft.name))
    return Ordering(
        objective=next((name for name in (*wanted, *objectives) if name in objectives), ""),
        discovery=next((dial for dial in dials if dial is not None), conf.DISCOVERY),
    )


def _first_live_products(page: Page, checked: list[CheckedOffer], unknown: Sequence[str]) -> dict[str, Any]:
    window, _ = windows(checked, MAX_LIVE_PRODUCTS)
    needed = [offer.item for offer, violation in window if violation is None]
    return page.catalog.in_bulk([*needed, *unknown], page.request)


def live_anchors(draft: BlockDraft, products: Mapping[str, Any]) -> list[LiveProduct]:
    """The anchors (external id -> live product, or None) as the strategy's rules see them."""
    page, stored = draft.page, draft.stored
    return [
        live_product(
            page.catalog,
            draft.strategy,
            product,
            LiveProduct(item=item, price=_price(page, product), aisle=stored[item].aisle if item in stored else 0),
        )
        for item, product in products.items()
    ]


def _price(page: Page, product: Any) -> float | None:
    price = None if product is None else live_price(page.catalog, product, page.request)
    return None if price is None else float(price)


def windows(checked: list[CheckedOffer], size: int) -> tuple[list[CheckedOffer], list[CheckedOffer]]:
    """``checked`` cut behind the first ``size`` candidates whose live product has to be looked at."""
    unchecked = 0
    for index, candidate in enumerate(checked):
        if candidate.violation is None:
            unchecked += 1
            if unchecked > size:
                return checked[:index], checked[index:]
    return checked, []


def anchors_by_id(catalog: Catalog, anchors: Iterable[Any]) -> dict[str, Any]:
    """External id -> live product, or None where only the id was given; each once, at most MAX_ANCHORS."""
    products: dict[str, Any] = {}
    for anchor in anchors:
        products.setdefault(catalog.id_of(anchor), None if isinstance(anchor, str | int) else anchor)
        if len(products) == MAX_ANCHORS:
            break
    return products


def candidates(draft: BlockDraft, personalise: Personaliser | None = None) -> list[Offer]:
    """Pins in order, then the anchors' lists by summed score, as ``personalise`` orders them."""
    pins = {
        item: Offer(item=item, score=0.0, reason=Reason.PINNED, aisle=aisle, evidence=())
        for each in draft.stored.values()
        for item, aisle, segment in each.pins
        if segment in (0, draft.segment)
    }
    strategy, ordering = draft.strategy, draft.ordering
    lists = (_decoded(each.encoded_offers) for each in draft.stored.values())
    ranked = _merged([with_objective(offers, strategy, ordering.objective) for offers in lists])
    ranked = with_discovery(ranked, ordering.discovery)
    if personalise is not None:
        ranked = personalise(draft, ranked)
    if ordering.objective in VALUED and ordering.objective != strategy.objectives[0]:
        ranked = with_worth(ranked, _worth(draft, ranked), strategy.worth_exponent)
    return [*pins.values(), *(offer for offer in ranked if offer.item not in pins)]


def _worth(draft: BlockDraft, offers: Sequence[Offer]) -> dict[str, float]:
    """Price or margin of the offers by external id, as of the last sync; of an upgrade, by how much it is higher.

    Where a cost is not known the price is the margin.
    """
    known = draft.page.rulebook.item_attributes(offer.item for offer in offers)
    worth = {}
    for offer in offers:
        item = known[offer.item]
        if item.price is None:
            continue
        price = float(item.price)
        ratio = evidence_of(offer).get("ratio") if offer.reason is Reason.UPGRADE else None
        cost = float(item.cost or 0) if draft.ordering.objective == Objective.MARGIN else 0.0
        worth[offer.item] = price - (price / ratio if ratio else cost)
    return worth


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
    for offer in (offer for offers in lists for offer in offers):
        sums[offer.item] += offer.score  # type: ignore[assignment]
        if offer.item not in best or offer.score > best[offer.item].score:
            best[offer.item] = offer
    merged = [offer._replace(score=float(sums[item])) for item, offer in best.items()]
    return sorted(merged, key=lambda offer: -offer.score)
