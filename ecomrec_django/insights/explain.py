"""Why an offer is shown to a shopper and another is not: the guard's verdicts on all candidates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from ..conf import conf
from ..models import Item, Visitor
from ..serving.anchor_product import AnchorProduct
from ..serving.assignment import assign
from ..serving.page import Page
from ..serving.presentation import reason_of
from ..serving.registry import strategy_named
from ..serving.selection import SELECTION, BlockDraft, Selection, examine, live_anchors
from ..serving.shopper_context import ShopperContext, shopper_context_by_key
from ..serving.variants import NO_ASSIGNMENT, SlotAssignment, slot_variant
from ..strategies.base import Offer, Reason, Violation, ViolationCode
from .pair_evidence import orders_with_both

# More than a block ever has.
ALL_CANDIDATES = 10_000


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict on one candidate; one without place and violation is eligible, but the block is full before it.

    rank: rank among all candidates, starting at 1
    place: position in the block, starting at 1; None if it is not shown
    violation: the rule that excludes it; None if there is none
    price: the customer's price; None if it was not read
    sentence: the reason shown on a page
    """

    offer: Offer
    rank: int
    place: int | None = None
    violation: Violation | None = None
    price: Decimal | None = None
    sentence: str = ""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The candidates of one strategy on one page.

    release: Release.pk of the published release, None without one
    limit: maximum number of offers
    verdicts: one per candidate, best first
    fills: whether this is the block that is shown
    """

    strategy: str
    release: int | None
    limit: int
    verdicts: list[Verdict] = field(default_factory=list)
    fills: bool = True

    def of(self, item: str) -> Verdict | None:
        """The verdict on one item (external id); None if it is no candidate."""
        return next((verdict for verdict in self.verdicts if verdict.offer.item == item), None)

    @property
    def shown(self) -> list[Verdict]:
        """Verdicts on the offers in the block, best candidate first."""
        return [verdict for verdict in self.verdicts if verdict.place is not None]


def explain(
    page: Page,
    strategy: str,
    anchors: Iterable[Any],
    limit: int | None = None,
    category: Any = None,
    assignment: SlotAssignment = NO_ASSIGNMENT,
    selection: Selection = SELECTION,
) -> Explanation:
    """The verdict on every candidate of a block. Raises what `examine` raises."""
    limit = assignment.variant.limit or (conf.LIMIT if limit is None else limit)
    # The order of offers does not depend on their number.
    examination = examine(page, strategy, list(anchors), ALL_CANDIDATES, category, assignment, selection)
    eligible_offers = {eligible.offer.item: eligible for eligible in examination.eligible}
    places = {item: place for place, item in enumerate(list(eligible_offers)[:limit], start=1)}
    violations = {rejected.offer.item: rejected.violation for rejected in examination.rejected}
    only_anchor = next(iter(examination.anchors)) if len(examination.anchors) == 1 else ""
    anchor = AnchorProduct.of(page.catalog, page.request, examination.anchors.get(only_anchor))
    verdicts = []
    for rank, (offer, _) in enumerate(examination.candidates, start=1):
        eligible = eligible_offers.get(offer.item)
        verdicts.append(
            Verdict(
                offer=offer,
                rank=rank,
                place=places.get(offer.item),
                violation=violations.get(offer.item),
                price=eligible.price if eligible is not None else None,
                sentence=reason_of(page.catalog, page.request, eligible, anchor) if eligible is not None else "",
            )
        )
    return Explanation(strategy=strategy, release=examination.release, limit=limit, verdicts=verdicts)


def explain_slot(page: Page, slot: str, anchors: Iterable[Any], visitor: str = "") -> list[Explanation]:
    """Explanations of the strategies in the slot's chain; the first one with enough offers fills it.

    visitor: Visitor.key whose arm of a running experiment is used.
    Raises ConfigurationError for an unknown slot.
    """
    assignment = SlotAssignment(slot=slot, variant=slot_variant(slot))
    experiment = page.rulebook.experiment(slot)
    if experiment is not None and visitor:
        assignment, _ = assign(experiment, slot, visitor, page.segment or 0)
    subjects, filled, explanations = list(anchors), False, []
    for strategy in assignment.variant.chain:
        explanation = explain(page, strategy, subjects, assignment=assignment)
        fills = not filled and len(explanation.shown) >= assignment.variant.minimum
        filled = filled or fills
        explanations.append(replace(explanation, fills=fills))
    return explanations


def page_for(segment: int | None = None, visitor: Visitor | None = None) -> Page:
    """A page for an anonymous shopper, for one of a segment (Segment.pk), or for ``visitor``, with an empty cart.

    It waits until this process has read the models.
    """
    page = Page(catalog=conf.CATALOG(), waits=True)
    page.shopper = None
    if visitor is not None:
        page.shopper = shopper_context_by_key(visitor.key)
    elif segment is not None:
        page.shopper = ShopperContext.stranger(segment)
    return page


def why_absent(page: Page, strategy: str, anchors: Sequence[str], item: str, slot: str = "") -> Violation:
    """Why ``item`` is not a candidate on the page of ``anchors`` (external ids).

    The rule of the guard or of the strategy that would exclude it, or TOO_WEAK.
    """
    rows = Item.objects.filter(external_id__in=[item, *anchors]).select_related("category").defer("description")
    items = {row.external_id: row for row in rows}
    offered = items.get(item)
    if offered is None or not offered.active:
        return Violation(ViolationCode.MISSING)
    live = page.catalog.in_bulk([item, *anchors], page.request)
    needs_anchor, same_need = strategy_named(strategy).needs_anchor, strategy_named(strategy).same_need
    block_anchors = list(dict.fromkeys(anchors)) if needs_anchor else []
    violation = _violation(page, strategy, block_anchors, frozenset(anchors), offered, slot, live)
    if violation is not None:
        return violation
    if same_need and any(_need(items.get(anchor)) != _need(offered) for anchor in anchors):
        return Violation(ViolationCode.OTHER_NEED)
    if len(block_anchors) == 1 and not same_need:
        orders, customers = orders_with_both(items[anchors[0]], offered) if anchors[0] in items else (0, 0)
        return Violation(ViolationCode.TOO_WEAK, {"orders": orders, "customers": customers})
    return Violation(ViolationCode.TOO_WEAK)


def _violation(
    page: Page,
    strategy: str,
    anchors: Sequence[str],
    subjects: frozenset[str],
    item: Item,
    slot: str,
    live: Mapping[str, Any],
) -> Violation | None:
    """The rule that ``item`` would break if it were in the list; ``live``: live products by external id."""
    stored, _ = SELECTION.store(strategy, anchors, general=False)
    draft = BlockDraft(
        page=page,
        name=strategy,
        strategy=strategy_named(strategy),
        anchors=anchors,
        subjects=subjects,
        stored=stored,
        segment=page.segment,
        assignment=SlotAssignment(slot=slot),
    )
    aisle = item.category.aisle_id if item.category is not None else None
    offer = Offer(item=item.external_id, score=0.0, reason=Reason.POPULAR, aisle=aisle or 0, evidence=())
    guard = SELECTION.guard(draft, SELECTION.rules(draft, [offer]))
    live_products = {anchor: live.get(anchor) for anchor in anchors}
    guard.choose(guard.precheck([offer]), live, live_anchors(draft, live_products), 1)
    return guard.rejected[0].violation if guard.rejected else None


def _need(item: Item | None) -> int | None:
    return item.category_id if item is not None else None
