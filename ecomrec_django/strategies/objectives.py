"""What offers are ranked by, and how much popularity counts: for everybody's lists and for known shoppers alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from ..learning.ranking.ranker import DISCOVERY
from .base import FILL_SCORE, Offer, Reason, evidence_of

if TYPE_CHECKING:
    from .base import Strategy


class Objective(StrEnum):
    """What an offer's score expects of it."""

    UPLIFT = "uplift"  # purchases beyond those that popularity and basket size explain
    PROBABILITY = "probability"  # purchases
    REVENUE = "revenue"  # the price of these
    MARGIN = "margin"  # their price less what they cost the shop


VALUED = (Objective.REVENUE, Objective.MARGIN)


class Ordering(NamedTuple):
    """How the offers of a block are ordered.

    objective: of `Objective`; "" for a strategy that has a single order
    discovery: from 0, popularity as it is, to 1, most of what few others buy
    """

    objective: str = ""
    discovery: float = 0.0


NO_ORDERING = Ordering()


def with_objective(offers: Sequence[Offer], strategy: Strategy, objective: str) -> Sequence[Offer]:
    """The offers of one list by ``objective``, still without what they are worth; see `with_worth`.

    A stored score is that of the strategy's first objective. Uplift is worth something in itself; otherwise what is
    expected is a purchase, whose probability is in the evidence where it is known.
    """
    stored = strategy.objectives[0] if strategy.objectives else objective
    if objective == stored or (objective in VALUED and stored == Objective.UPLIFT):
        return offers
    expected = [offer._replace(score=_probability(offer)) for offer in offers]
    return sorted(expected, key=lambda offer: -offer.score)


def with_discovery(offers: Sequence[Offer], discovery: float) -> Sequence[Offer]:
    """Offers by score · (highest popularity / popularity)^(DISCOVERY·discovery).

    Popularity is how probably an offer is bought by chance. Where it is not known (an upgrade, a new item) the score
    stays as it is, and so does that of bestsellers that fill a list.
    """
    popularity = [_popularity(offer) if offer.score > FILL_SCORE else None for offer in offers]
    most = max((value for value in popularity if value), default=0.0)
    if not discovery or not most:
        return offers
    dialled = [
        offer._replace(score=offer.score * (most / value) ** (DISCOVERY * discovery)) if value else offer
        for offer, value in zip(offers, popularity, strict=True)
    ]
    return sorted(dialled, key=lambda offer: -offer.score)


def with_worth(offers: Sequence[Offer], worth: Mapping[str, float], exponent: float) -> Sequence[Offer]:
    """Offers by score · worth^exponent; ``worth``: external id -> price or margin, of those where it is known.

    What is not known counts as the least of the others. What adds nothing is worth nothing and stays behind, as do
    bestsellers that fill a list.
    """
    known = [max(worth[offer.item], 0.0) for offer in offers if offer.item in worth]
    if not known:
        return offers
    least = min(known)
    valued = [
        offer._replace(score=offer.score * max(worth.get(offer.item, least), 0.0) ** exponent)
        if offer.score > FILL_SCORE
        else offer
        for offer in offers
    ]
    return sorted(valued, key=lambda offer: -offer.score)


def _probability(offer: Offer) -> float:
    """Its score where the evidence does not tell it."""
    probability = evidence_of(offer).get("probability")
    return offer.score if probability is None or offer.score <= FILL_SCORE else float(probability)


def _popularity(offer: Offer) -> float | None:
    """The probability by chance of what is bought together, and the customers of a bestseller; None for others."""
    evidence = evidence_of(offer)
    if offer.reason is Reason.POPULAR:
        return evidence.get("customers")
    if offer.reason in (Reason.TOGETHER, Reason.AISLE):
        probability, lift = evidence.get("probability"), evidence.get("lift")
        return probability / lift if probability and lift else None
    return None
