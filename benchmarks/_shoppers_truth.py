"""What `benchmarks.shoppers` knows and the shop does not: what each arm would have shown, and what that is worth."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field

import numpy as np
from django.http import HttpRequest

from ecomrec_django.conf import conf
from ecomrec_django.models import Experiment, Visitor
from ecomrec_django.serving.offers import block_of
from ecomrec_django.serving.page import page_of
from ecomrec_django.serving.variants import SlotAssignment, Variant, slot_variant
from ecomrec_django.tracking.visitors import key_of

from ._shoppers_browser import Page
from ._shoppers_past import product_of, sku_of
from ._shoppers_world import Block, Visit, World, expected

SLOT = "product"


@dataclass
class Truth:
    """Expected revenue of each visit that took part, by the click model: ``values`` with each arm, ``without`` the
    slot, and as it was ``shown``; ``arm``: Arm.pk; ``key``: Visitor.key."""

    world: World
    variants: Mapping[int, Variant]
    key: list[str] = field(default_factory=list)
    arm: list[int] = field(default_factory=list)
    values: list[list[float]] = field(default_factory=list)
    without: list[float] = field(default_factory=list)
    shown: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, world: World, experiment: Experiment) -> Truth:
        base = slot_variant(SLOT)
        arms = experiment.arms.filter(is_holdout=False)
        return cls(world, {arm.pk: base.changed(arm.options) for arm in arms})

    def note(self, visit: Visit, page: Page) -> None:
        """Before the shopper acts: what is known of them has to be what the page knew."""
        assignment = page_of(page.request, conf.CATALOG()).assignments.get(SLOT)
        if assignment is None or not assignment.arm:
            return
        others = [block for block in page.blocks if block.upgrades]
        arm = int(assignment.arm)
        made = {pk: self._block(page.request, visit, others, variant) for pk, variant in self.variants.items()}
        shown = page.blocks[len(others) :]
        if shown != ([made[arm]] if arm in made and made[arm].offers else []):
            raise SystemExit(f"the page shows {shown}, its arm {arm} has {made.get(arm)}")
        self.key.append(key_of(page.request))
        self.arm.append(arm)
        self.values.append([expected(self.world, visit, [*others, block]) for block in made.values()])
        self.without.append(expected(self.world, visit, others))
        self.shown.append(expected(self.world, visit, page.blocks))

    def visitors(self) -> np.ndarray:
        """Visitor.pk of each visit."""
        pks = dict(Visitor.objects.filter(key__in=set(self.key)).values_list("key", "pk"))
        return np.array([pks[key] for key in self.key])

    def _block(self, request: HttpRequest, visit: Visit, others: list[Block], variant: Variant) -> Block:
        """As `serving.slots.slot_offers` fills the slot, beside the other blocks of the page."""
        page = copy(page_of(request, conf.CATALOG()))
        page.shown = {sku_of(product) for block in others for product in block.offers}
        for strategy in variant.chain:
            found = block_of(
                page, strategy, [sku_of(visit.anchor)], variant.limit, None, SlotAssignment(slot=SLOT, variant=variant)
            )
            if len(found.offers) >= variant.minimum:
                return Block(tuple(product_of(offer.item) for offer in found.offers))
        return Block(())
