"""Observations: actions of a shopper within one request, on their way to the database."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from hashlib import blake2b
from typing import NamedTuple
from uuid import uuid4

from ..models import Kind


class ShownOffer(NamedTuple):
    """An offer's place on a page.

    nonce: of the block
    strategy: of the block
    release: Release.pk of the block; None for a block without a release
    arm: Arm.pk as text; empty outside of experiments
    anchor: external id of the block's product; empty if it has none or several
    position: place in the block, 1 first
    slot: of the block; empty outside of slots
    visitor: `block_visitor` of the visitor that the block was made for; empty if a cache may show it to others
    """

    nonce: str
    strategy: str
    release: int | None
    arm: str
    anchor: str
    position: int
    slot: str = ""
    visitor: str = ""


def block_visitor(nonce: str, visitor: str) -> str:
    """Names a visitor, by Visitor.key, within one rendering of a block alone."""
    return blake2b(f"{nonce}\0{visitor}".encode(), digest_size=9).hexdigest()


class ArmExposure(NamedTuple):
    """A visit to a slot under experiment.

    arm: Arm.pk
    segment: Segment.pk of the visitor; 0 without one
    propensity: probability with which the arm was assigned
    """

    arm: int
    segment: int
    propensity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One action of a shopper.

    kind: of the event
    item: external id of the product; empty for an exposure
    visitor: Visitor.key; empty until the response is out, since it costs queries
    time: of the action
    quantity: pieces
    rating: stars of a review
    policy: version of the privacy policy that the visitor has agreed to
    shown: the offer of an impression or a click
    id: unique, so that a second delivery of the same observation is harmless
    exposure: of the visitor to an experiment
    """

    kind: Kind
    item: str
    visitor: str = ""
    time: datetime = field(default_factory=partial(datetime.now, UTC))
    quantity: int | Decimal = 1
    rating: float | None = None
    policy: str = ""
    shown: ShownOffer | None = None
    id: str = field(default_factory=lambda: uuid4().hex)
    exposure: ArmExposure | None = None

    def to_json(self) -> str:
        """The compact text stored in a queue."""
        amount = self.quantity if isinstance(self.quantity, int) else str(self.quantity)
        row = [self.kind.value, self.item, self.visitor, self.time.isoformat(), amount, self.rating, self.policy]
        return json.dumps([*row, self.shown, self.id, self.exposure], separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Observation:
        """The observation that ``to_json`` wrote; raises ValueError or TypeError for any other text."""
        kind, item, visitor, time, quantity, rating, policy, shown, key, *exposure = json.loads(text)
        return cls(
            kind=Kind(kind),
            item=item,
            visitor=visitor,
            time=datetime.fromisoformat(time),
            quantity=Decimal(quantity) if isinstance(quantity, str) else quantity,
            rating=rating,
            policy=policy,
            shown=ShownOffer._make(shown) if shown else None,
            id=key,
            exposure=ArmExposure(*exposure[0]) if exposure and exposure[0] else None,
        )
