"""What the blocks of one page share: the customer's cart, and what was shown already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from time import time

from django.http import HttpRequest

from ..catalog.adapter import Catalog
from .customer import Customer, customer_of
from .failures import note_failure
from .learned import model_of
from .personal import Known
from .rulebook import Rulebook, rulebook
from .variants import Place


@dataclass
class Page:
    catalog: Catalog
    request: HttpRequest | None
    shown: set[str] = field(default_factory=set)
    # Slot -> how it is filled, for those asked so far.
    places: dict[str, Place] = field(default_factory=dict)
    # Blocks rendered so far, so that each heading has an id of its own.
    blocks: int = 0

    @cached_property
    def customer(self) -> Customer | None:
        """What is known of who asks, read once a request; None without consent, or where it cannot be read."""
        try:
            return customer_of(self.request)
        except Exception as error:
            note_failure("customer", error, "Offers are not personal")
            return None

    @cached_property
    def known(self) -> Known | None:
        """The same as the published model sees it; None where there is no model, or not yet in this process."""
        customer = self.customer
        model = model_of(customer.release, customer.digest) if customer is not None else None
        return Known(customer, model, time()) if customer is not None and model is not None else None

    @cached_property
    def rulebook(self) -> Rulebook:
        """What the merchant laid down, the same for all blocks of a page. Where it cannot be read no block is shown."""
        return rulebook()

    @property
    def ignored(self) -> Mapping[str, int]:
        """External id -> how often who asks saw it lately without a click."""
        return {} if self.customer is None else self.customer.ignored

    def show(self, items: Iterable[str]) -> None:
        """No other block of the page repeats these."""
        self.shown.update(items)

    @cached_property
    def cart(self) -> tuple[str, ...]:
        """External ids in the customer's cart, read once a request."""
        return tuple(map(str, self.catalog.cart(self.request))) if self.request is not None else ()


def page_of(request: HttpRequest | None, catalog: Catalog) -> Page:
    if request is None:
        return Page(catalog, None)
    page = getattr(request, "_ecomrec_page", None)
    if page is None:
        page = request._ecomrec_page = Page(catalog, request)  # type: ignore[attr-defined]
    return page
