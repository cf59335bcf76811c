"""Assignment of visitors to the arms of a slot's running experiment."""

from __future__ import annotations

from ..models import Kind
from ..strategies.bandit import arm_probability, choose_arm
from ..tracking.observation import ArmExposure, Observation
from ..tracking.page_views import is_fetched_ahead
from ..tracking.request_state import mark_personal, recorded
from .page import Page
from .rulebook import RunningExperiment
from .variants import SlotAssignment, slot_variant

HOLDOUT, OFFERS = "holdout", "offers"


def slot_assignment(page: Page, slot: str) -> SlotAssignment | None:
    """How ``slot`` is filled on this page, always the same within a request; None if it stays empty.

    Visitors without consent or without a cookie do not participate in experiments and get the slot as configured.
    Exposures are recorded after the response; of a page that was fetched ahead, once it is seen. Raises
    ConfigurationError.
    """
    if slot not in page.assignments:
        experiment = page.rulebook.experiment(slot)
        assignment = _participate(page, slot, experiment) if experiment is not None else None
        page.assignments[slot] = assignment or SlotAssignment(slot=slot, variant=slot_variant(slot))
    assignment = page.assignments[slot]
    return assignment if assignment.variant.chain else None


def _participate(page: Page, slot: str, experiment: RunningExperiment) -> SlotAssignment | None:
    request, visitor = page.request, page.visitor
    if request is None or not visitor:
        return None
    # From here on, the response depends on the shopper.
    mark_personal(request)
    segment = (page.segment or 0) if experiment.by_segment else 0
    assignment, propensity = assign(experiment, slot, visitor, segment)
    if assignment.arm:
        exposure = ArmExposure(arm=int(assignment.arm), segment=segment, propensity=propensity)
        if is_fetched_ahead(request):
            page.unseen[slot] = exposure
        else:
            recorded(request).observations.append(Observation(kind=Kind.VIEW_ITEM_LIST, item="", exposure=exposure))
    return assignment


def assign(experiment: RunningExperiment, slot: str, visitor: str, segment: int) -> tuple[SlotAssignment, float]:
    """The assignment of ``visitor``, a Visitor.key, and its probability.

    The holdout is assigned first, so that nobody enters or leaves it when the shares of the arms change.
    """
    if experiment.holdout > 0:
        split = {HOLDOUT: experiment.holdout, OFFERS: 1 - experiment.holdout}
        if choose_arm(split, f"{experiment.number}", visitor) == HOLDOUT:
            return SlotAssignment(slot=slot, arm=experiment.holdout_arm), experiment.holdout
    shares = experiment.shares.get(segment, experiment.shares[0])
    if not any(shares.values()):
        # The bandit has fallen back to no offers.
        return SlotAssignment(slot=slot), 1.0
    arm = choose_arm(shares, f"{experiment.number} arms", visitor)
    probability = (1 - experiment.holdout) * arm_probability(shares, arm)
    return SlotAssignment(slot=slot, arm=arm, variant=experiment.arms[arm]), probability
