"""What one request saw a shopper do, on its way to the database."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple
from uuid import uuid4

from ..models import Kind


class Shown(NamedTuple):
    """Where an offer stood: the block's nonce, strategy, release, arm and anchor, the offer's place, 1 first, and the
    block's slot."""

    nonce: str
    strategy: str
    release: int | None
    arm: str
    anchor: str
    position: int
    slot: str = ""


class Exposed(NamedTuple):
    """A visitor came to a slot that an experiment decides: Arm.pk, Segment.pk or 0, and the chance that the arm had."""

    arm: int
    segment: int
    propensity: float


@dataclass(frozen=True, slots=True)
class Observation:
    """``item`` is the shop's id. ``visitor`` is a Visitor.key, empty until the response is out: it costs queries.

    ``id`` makes a second delivery of the same observation harmless. ``shown`` belongs to impressions and clicks;
    ``exposed`` to an exposure, which is of no item.
    """

    kind: Kind
    item: str
    visitor: str = ""
    time: datetime = field(default_factory=partial(datetime.now, UTC))
    quantity: int = 1
    rating: float | None = None
    policy: str = ""
    shown: Shown | None = None
    id: str = field(default_factory=lambda: uuid4().hex)
    exposed: Exposed | None = None

    def to_json(self) -> str:
        """The compact text that a queue holds."""
        row = [self.kind.value, self.item, self.visitor, self.time.isoformat(), self.quantity, self.rating, self.policy]
        return json.dumps([*row, self.shown, self.id, self.exposed], separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Observation:
        """Raises ValueError or TypeError for what ``to_json`` did not write."""
        kind, item, visitor, time, quantity, rating, policy, shown, key, *exposed = json.loads(text)
        return cls(
            Kind(kind),
            item,
            visitor,
            datetime.fromisoformat(time),
            quantity,
            rating,
            policy,
            Shown(*shown) if shown else None,
            key,
            Exposed(*exposed[0]) if exposed and exposed[0] else None,
        )
