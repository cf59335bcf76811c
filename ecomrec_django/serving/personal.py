"""One shopper's offers: the anchors' lists and the shopper's own candidates, ranked anew by numpy alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from ..learning.artifact import Model
from ..learning.fusion import Ranked, Ranker, ranked
from ..learning.neighbours import among, distinct
from ..learning.replenishment import own_cycle
from ..learning.shoppers import Shopper
from ..learning.signals import NAMES, candidates
from ..strategies.base import Offer, Reason, Strategy
from .customer import Customer

# Of a cart, the products put in last.
MOST_ANCHORS = 3
# Ranked offers that the guard may look at.
MOST_OFFERS = 60

# Signals that tell why an item is offered.
_TOLD = [
    NAMES.index(name) for name in ("gap", "own_baskets", "days_since", "seen", "seen_days", "taste", "need_interest")
]
_GAP, _BASKETS = 0, 1


class Known:
    """A customer as the published model sees them, for all blocks of one page."""

    def __init__(self, customer: Customer, model: Model, now: float) -> None:
        self.customer = customer
        self.model = model
        self.day = float(model.day(now))

    @cached_property
    def shopper(self) -> Shopper:
        past = self.customer.history(self.model.day).numbered(self.model.ids)
        return Shopper.of(past, self.model.facts)

    def ranker(self, strategy: Strategy) -> Ranker | None:
        """What ranks the offers of a strategy; None where nothing was learned."""
        found = self.model.rankers.get(strategy.task)
        return found if found is not None and found.useful else None


def personal(
    known: Known,
    strategy: Strategy,
    anchors: Sequence[str],
    listed: Sequence[Offer],
    category: int | None,
    dial: float,
) -> list[Offer] | None:
    """The offers of a block for one shopper, best first; None where nothing tells more than the list does.

    ``anchors`` are external ids, ``listed`` the anchors' offers; with ``category``, a Category.pk, offers are of it.
    ``dial``: see ``ECOMREC["DISCOVERY"]``.
    """
    ranker = known.ranker(strategy)
    if ranker is None or not known.shopper.known:
        return None
    model = known.model
    numbers = model.names.numbers([*anchors, *(offer.item for offer in listed)])
    beside, of_list = numbers[: len(anchors)], numbers[len(anchors) :]
    # What this shopper has, and nobody buys twice.
    owned = among(known.shopper.hidden, of_list)
    listed, of_list = [offer for offer, has in zip(listed, owned, strict=True) if not has], of_list[~owned]
    beside = beside[beside >= 0][-MOST_ANCHORS:]
    if not strategy.adds:
        return _swayed(known, ranker, listed, of_list, beside)
    if anchors and not len(beside):
        return listed
    items = candidates(model.facts, known.shopper, beside.tolist())
    if category is not None:
        items = items[(model.needs[items] == category) | (model.aisles[items] == category)]
    items = distinct(np.concatenate([items, of_list[of_list >= 0]]))
    if not len(items):
        return listed
    found = ranked(ranker, model.facts, known.shopper, beside.tolist(), known.day, dial, items)
    own = dict(zip(of_list.tolist(), listed, strict=True))
    offers = [
        own[number]._replace(score=offer.score) if number in own else offer
        for number, offer in zip(found.items.tolist(), _offers(model, found), strict=False)
    ]
    # What came into the catalog since is known to the list alone, and keeps its place.
    for place, offer in enumerate(listed):
        if of_list[place] < 0:
            offers.insert(place, offer)
    return offers


def _swayed(known: Known, ranker: Ranker, listed: list[Offer], numbers: np.ndarray, beside: np.ndarray) -> list[Offer]:
    """``listed``, whose item numbers are ``numbers``, by score · chance / mean chance; anchors ``beside``."""
    model = known.model
    items = distinct(numbers[numbers >= 0])
    if len(items) < 2:
        return listed
    found = ranked(ranker, model.facts, known.shopper, beside.tolist(), known.day, 0.0, items)
    sway = dict(zip(found.items.tolist(), (found.chances / found.chances.mean()).tolist(), strict=True))
    swayed = [
        offer._replace(score=offer.score * sway.get(number, 1.0))
        for offer, number in zip(listed, numbers.tolist(), strict=True)
    ]
    return sorted(swayed, key=lambda offer: -offer.score)


def _offers(model: Model, found: Ranked) -> Iterator[Offer]:
    """The first MOST_OFFERS of what is ranked, each for the first of the reasons that is true."""
    items = found.items[:MOST_OFFERS]
    rows = found.signals(MOST_OFFERS)[:, _TOLD]
    cycles = own_cycle(rows[:, _GAP], rows[:, _BASKETS], model.facts.cycle[model.facts.need[items]])
    columns = (found.chances[:MOST_OFFERS], model.aisles[items], cycles, *rows.T)
    for name, chance, aisle, cycle, _, baskets, since, seen, seen_days, taste, interest in zip(
        model.names.texts(items), *(column.tolist() for column in columns), strict=True
    ):
        evidence: tuple[float | None, ...]
        if baskets > 0:
            reason, evidence = Reason.AGAIN, (chance, baskets, since, cycle)
        elif seen > 0:
            reason, evidence = Reason.SEEN, (chance, seen_days)
        elif taste > 0:
            reason, evidence = Reason.TASTE, (chance, taste)
        elif interest > 0:
            reason, evidence = Reason.INTEREST, (chance, interest)
        else:
            reason, evidence = Reason.POPULAR, (None,)
        yield Offer(name, chance, reason, aisle, evidence)
