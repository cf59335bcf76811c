"""Why an offer is shown to somebody, and why another is not: the guard's own verdicts, told for every candidate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from time import time
from typing import Any

from ..conf import conf
from ..learning.past import Past
from ..models import Item, Visitor
from ..serving.beside import Beside
from ..serving.choosing import decided
from ..serving.customer import Customer, customer_by_key
from ..serving.learned import model_of
from ..serving.offers import beside as anchors_beside
from ..serving.offers import examine, guard_of, present, terms_of
from ..serving.page import Page
from ..serving.personal import Known
from ..serving.registry import strategy_named
from ..serving.rulebook import rulebook
from ..serving.stored import stored_for
from ..serving.variants import NOWHERE, Place, slot_variant
from ..strategies.base import Offer, Reason
from .evidence import orders_with_both

# As many as the guard is ever given.
EVERY = 10_000


@dataclass(frozen=True)
class Verdict:
    """What became of one candidate: ``place`` in the block from 1, or the ``rule`` that it breaks; with neither, sound
    offers stand before it and fill the block. ``rank``: among all candidates, from 1."""

    offer: Offer
    rank: int
    place: int | None = None
    rule: str = ""
    price: Decimal | None = None
    sentence: str = ""


@dataclass(frozen=True)
class Explanation:
    """The candidates of one strategy on one page, best first; ``fills``: whether this block is the one shown."""

    strategy: str
    release: int | None
    limit: int
    verdicts: list[Verdict] = field(default_factory=list)
    fills: bool = True

    def of(self, item: str) -> Verdict | None:
        return next((one for one in self.verdicts if one.offer.item == item), None)

    @property
    def shown(self) -> list[Verdict]:
        return [one for one in self.verdicts if one.place is not None]


def explain(
    page: Page,
    strategy: str,
    anchors: Iterable[Any],
    limit: int | None = None,
    category: Any = None,
    place: Place = NOWHERE,
) -> Explanation:
    """The verdict on every candidate of a block. Raises what `examine` raises."""
    most = place.variant.limit or (conf.LIMIT if limit is None else limit)
    given = list(anchors)
    # Which offers are kept first does not turn on how many are asked for.
    found = examine(page, strategy, given, EVERY, category, place)
    shown = {kept.offer.item: at for at, kept in enumerate(found.kept[:most], start=1)}
    of_kept = {kept.offer.item: kept for kept in found.kept}
    broken = {one.offer.item: one.rule for one in found.left_out}
    only = next(iter(found.anchors)) if len(found.anchors) == 1 else ""
    beside = Beside.of(page.catalog, page.request, found.anchors.get(only))
    verdicts = []
    for rank, (offer, _) in enumerate(found.candidates, start=1):
        kept = of_kept.get(offer.item)
        said = present(page.catalog, page.request, kept, beside).reason if kept is not None else ""
        verdicts.append(
            Verdict(
                offer,
                rank,
                shown.get(offer.item),
                broken.get(offer.item, ""),
                kept.price if kept is not None else None,
                said,
            )
        )
    return Explanation(strategy, found.release, most, verdicts)


def explain_slot(page: Page, slot: str, anchors: Iterable[Any], visitor: str = "") -> list[Explanation]:
    """Each strategy of the slot's chain in turn; the first with enough offers fills it.

    ``visitor``, a Visitor.key, sees their arm of a running experiment. Raises ConfigurationError for an unknown slot.
    """
    place = Place(slot, "", slot_variant(slot))
    trial = page.rulebook.trial(slot)
    if trial is not None and visitor:
        segment = page.customer.segment if page.customer is not None else None
        place, _ = decided(trial, slot, visitor, segment or 0)
    given, filled, found = list(anchors), False, []
    for strategy in place.variant.chain:
        one = explain(page, strategy, given, None, None, place)
        fills = not filled and len(one.shown) >= place.variant.minimum
        filled = filled or fills
        found.append(replace(one, fills=fills))
    return found


def page_for(segment: int | None = None, visitor: Visitor | None = None) -> Page:
    """A page as an anonymous visitor would get it, or somebody of a segment (a Segment.pk), or one ``visitor``.

    Nobody's cart is known here. Waits until this process has read the published model.
    """
    page = Page(conf.CATALOG(), None)
    page.rulebook = rulebook()
    page.customer, page.known = None, None
    if visitor is not None:
        customer = page.customer = customer_by_key(visitor.key)
        model = model_of(customer.release, customer.digest, wait=True) if customer is not None else None
        if customer is not None and model is not None:
            page.known = Known(customer, model, time())
    elif segment is not None:
        page.customer = Customer(Past.empty(), [], segment, 0, "", {})
    return page


def why_absent(page: Page, strategy: str, anchors: Sequence[str], item: str, slot: str = "") -> str:
    """Why ``item`` is not even a candidate beside ``anchors`` (external ids): the rule of the guard or of the strategy
    that would keep it out, or that too little speaks for it."""
    items = Item.objects.filter(external_id__in=[item, *anchors]).select_related("category").defer("description")
    found = {one.external_id: one for one in items}
    offered = found.get(item)
    if offered is None or not offered.active:
        return "missing"
    rules = strategy_named(strategy)
    live = page.catalog.in_bulk([item, *anchors], page.request)
    stored, _ = stored_for(strategy, anchors if rules.needs_anchor else ())
    beside = anchors_beside(page, {name: live.get(name) for name in stored}, stored)
    aisle = offered.category.aisle_id if offered.category is not None else None
    offer = Offer(item, 0.0, Reason.POPULAR, aisle or 0, ())
    segment = page.customer.segment if page.customer is not None else None
    guard = guard_of(page, rules, stored, [one.item for one in beside], segment)
    guard.terms = terms_of(page, strategy, slot, segment, [offer], [one.item for one in beside])
    guard.choose(guard.sift([offer]), live, beside, 1)
    if guard.left_out:
        return guard.left_out[0].rule
    if rules.same_need and any(_need(found.get(name)) != _need(offered) for name in anchors):
        return "other_need"
    if len(beside) == 1 and not rules.same_need:
        orders, customers = orders_with_both(found[anchors[0]], offered) if anchors[0] in found else (0, 0)
        return f"too_weak {orders} {customers}"
    return "too_weak"


def _need(item: Item | None) -> int | None:
    return item.category_id if item is not None else None
