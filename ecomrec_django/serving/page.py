"""What the blocks of one page share: the customer's cart, and what was shown already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from time import time

from django.http import HttpRequest

from ..catalog.adapter import Catalog
from ..catalog.validation import cart_ids
from ..db import savepoints
from ..failures import note_failure
from ..tracking.consent import consents
from ..tracking.observation import ArmExposure
from ..tracking.request_state import mark_personal, request_state
from ..tracking.visitors import has_loaded_account, key_of
from .model_cache import MODELS, ModelCache
from .reranking import RankingContext
from .rulebook import Rulebook, current_rulebook
from .shopper_context import ShopperContext, shopper_context_by_key
from .variants import SlotAssignment


@dataclass(kw_only=True)
class Page:
    """One page while it is drawn.

    catalog: the shop's adapter.
    request: the shop's own request, None for nobody's.
    shown: external ids of the offers in its blocks so far.
    assignments: slot -> how it is filled, for those asked so far.
    unseen: slot -> the exposure to its experiment, of a page that was fetched ahead; the page reports it once seen.
    blocks: blocks rendered so far, so that each heading has an id of its own.
    models: where the models of releases are found.
    waits: whether it waits for this process to read a model.
    contexts: digest of a model -> the shopper as it sees them, for those asked so far.
    """

    catalog: Catalog
    request: HttpRequest | None = None
    shown: set[str] = field(default_factory=set)
    assignments: dict[str, SlotAssignment] = field(default_factory=dict)
    unseen: dict[str, ArmExposure] = field(default_factory=dict)
    blocks: int = 0
    models: ModelCache = MODELS
    waits: bool = False
    contexts: dict[str, RankingContext | None] = field(default_factory=dict)

    @cached_property
    def visitor(self) -> str:
        """Visitor.key of who asks; "" for who did not consent or cannot be recognised."""
        return key_of(self.request) if self.request is not None and consents(self.request) else ""

    @property
    def sealed_for(self) -> str:
        """`visitor` where the page depends on them; "" where a cache may show it to others."""
        visitor: str = vars(self).get("visitor", "")
        return visitor

    @cached_property
    def shopper(self) -> ShopperContext | None:
        """What is known of who asks, read once a request; None without consent, or where it cannot be read."""
        try:
            with savepoints():
                return self._shopper()
        except Exception as error:
            note_failure("customer", error, "Offers are not personal")
            return None

    def _shopper(self) -> ShopperContext | None:
        if self.request is None or not consents(self.request):
            return None
        key = self.visitor
        # Whatever is shown now follows from who asks.
        mark_personal(self.request)
        return shopper_context_by_key(key) if key else None

    def ranking_context(self, strategy: str) -> RankingContext | None:
        """The shopper as the model behind the offers of a strategy sees them; None where there is no model, or not yet
        in this process."""
        shopper = self.shopper
        if shopper is None:
            return None
        release, digest = shopper.shown_release(strategy)
        if digest not in self.contexts:
            model = self.models.get(release, digest, wait=self.waits)
            self.contexts[digest] = RankingContext(shopper, model, time()) if model is not None else None
        return self.contexts[digest]

    @cached_property
    def rulebook(self) -> Rulebook:
        """The merchant's rules, the same for all blocks of a page. Where they cannot be read no block is shown."""
        return current_rulebook()

    @property
    def segment(self) -> int | None:
        """Segment.pk of who asks; None for none, or where nothing is known of them."""
        return None if self.shopper is None else self.shopper.segment

    @property
    def ignored(self) -> Mapping[str, int]:
        """External id -> how often who asks saw it lately without a click."""
        return {} if self.shopper is None else self.shopper.ignored

    def show(self, items: Iterable[str]) -> None:
        """No other block of the page repeats these."""
        self.shown.update(items)
        if self.request is not None and has_loaded_account(self.request):
            # Prices and visibility may be those of this customer.
            mark_personal(self.request)

    @cached_property
    def cart(self) -> tuple[str, ...]:
        """External ids in the customer's cart, read once a request."""
        if self.request is None:
            return ()
        cart = cart_ids(self.catalog, self.request)
        if cart:
            mark_personal(self.request)
        return cart


def page_of(request: HttpRequest | None, catalog: Catalog) -> Page:
    """The page that ``request`` asks for, one for all of its blocks."""
    if request is None:
        return Page(catalog=catalog)
    return request_state(request).get_or_create(Page, lambda: Page(catalog=catalog, request=request))
