"""Which arm of a running experiment a visitor sees in a slot."""

from __future__ import annotations

from ..models import Kind
from ..strategies.bandit import chance, chosen
from ..tracking.consent import consents
from ..tracking.observation import Exposed, Observation
from ..tracking.request import of
from ..tracking.visitors import key_of
from .page import Page
from .rulebook import Trial
from .variants import Place, Variant, slot_variant

HOLDOUT, OFFERS = "holdout", "offers"


def place_of(page: Page, slot: str) -> Place | None:
    """How ``slot`` is filled on this page, the same however often it is asked; None where nothing is to be shown.

    A visitor of whom nothing may be known takes no part in experiments, and sees what the settings say; so does one who
    has no cookie yet. That somebody took part is recorded once the response is out. Raises ConfigurationError.
    """
    if slot not in page.places:
        trial = page.rulebook.trial(slot)
        taken = _take_part(page, slot, trial) if trial is not None else None
        page.places[slot] = Place(slot, "", slot_variant(slot)) if taken is None else taken
    place = page.places[slot]
    return place if place.variant.chain else None


def _take_part(page: Page, slot: str, trial: Trial) -> Place | None:
    request = page.request
    if request is None or not consents(request):
        return None
    visitor = key_of(request)
    if not visitor:
        return None
    # Whatever is shown now follows from who asks.
    request._ecomrec_personal = True  # type: ignore[attr-defined]
    segment = (page.customer.segment or 0) if trial.by_segment and page.customer is not None else 0
    place, propensity = decided(trial, slot, visitor, segment)
    if place.arm:
        exposed = Exposed(int(place.arm), segment, propensity)
        of(request).seen.append(Observation(Kind.VIEW_ITEM_LIST, "", exposed=exposed))
    return place


def decided(trial: Trial, slot: str, visitor: str, segment: int) -> tuple[Place, float]:
    """The place of ``visitor``, a Visitor.key, and the chance that it had.

    The holdout is drawn first, so that nobody enters or leaves it while the shares of the arms change.
    """
    if trial.holdout > 0:
        halves = {HOLDOUT: trial.holdout, OFFERS: 1 - trial.holdout}
        if chosen(halves, f"{trial.number}", visitor) == HOLDOUT:
            return Place(slot, trial.holdout_arm, Variant(())), trial.holdout
    shares = trial.shares.get(segment, trial.shares[0])
    if not any(shares.values()):
        # Fallen back to showing nothing.
        return Place(slot, "", Variant(())), 1.0
    arm = chosen(shares, f"{trial.number} arms", visitor)
    return Place(slot, arm, trial.arms[arm]), (1 - trial.holdout) * chance(shares, arm)
