"""What the blocks of one page share: the customer's cart, and what was shown already."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from django.http import HttpRequest

from ..catalog.adapter import Catalog


@dataclass
class Page:
    catalog: Catalog
    request: HttpRequest | None
    shown: set[str] = field(default_factory=set)
    # Blocks rendered so far, so that each heading has an id of its own.
    blocks: int = 0

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
