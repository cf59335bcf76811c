"""Offers as a template or the API shows them: title, URLs, price and reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest

from ..catalog.adapter import Catalog
from ..failures import note_failure
from .anchor_product import AnchorProduct
from .guard import EligibleOffer
from .reasons import sentence
from .upgrade_reasons import signed_price, upgrade_sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockOffer:
    """One offer as a template or the API shows it.

    item: external id.
    product: the live product.
    title, brand: from the adapter; the brand may be "".
    url, image: safe URLs, "" for none.
    price: this customer's price, None in a shop without prices.
    price_text: the formatted price, "" for none.
    reason: why it is offered, in the active language; "" for none.
    score: the ranking score, without unit.
    price_difference: ``price`` minus the price of the block's only product; None with several products.
    price_difference_text: the formatted difference with its sign, "" for none.
    currency: currency of the prices, such as "EUR"; "" if unknown.
    rating: mean rating on the shop's own scale, None without ratings.
    rating_count: number of ratings, None if unknown.
    stock: pieces in stock, None if unknown or not public.
    """

    item: str
    product: Any
    title: str
    url: str
    image: str
    price: Any
    price_text: str
    reason: str
    score: float
    price_difference: Any = None
    price_difference_text: str = ""
    currency: str = ""
    brand: str = ""
    rating: float | None = None
    rating_count: int | None = None
    stock: int | None = None


def present(
    catalog: Catalog, request: HttpRequest | None, eligible: EligibleOffer, anchor: AnchorProduct | None = None
) -> BlockOffer:
    """The offer as it is shown; ``anchor``: the only live product of its block, if there is just one."""
    offer, product, price = eligible
    difference = None if price is None or anchor is None or anchor.price is None else price - anchor.price
    return BlockOffer(
        item=offer.item,
        product=product,
        title=catalog.display_title(product),
        url=safe_url(catalog.url(product) or ""),
        image=_image(catalog, product),
        price=price,
        price_text="" if price is None else catalog.format_price(price, request),
        reason=reason_of(catalog, request, eligible, anchor),
        score=offer.score,
        price_difference=difference,
        price_difference_text="" if difference is None else signed_price(catalog, difference, request),
        currency="" if price is None else catalog.currency(request),
        brand=catalog.display_brand(product),
        rating=catalog.base_rating(product),
        rating_count=catalog.base_rating_count(product),
        stock=catalog.display_stock(product, request),
    )


def presented(
    catalog: Catalog,
    request: HttpRequest | None,
    eligible: Iterable[EligibleOffer],
    anchor: AnchorProduct | None,
    strategy: str,
) -> list[BlockOffer]:
    """The offers of a block as they are shown, without those for which the shop's adapter fails."""
    offers = []
    for each in eligible:
        try:
            offers.append(present(catalog, request, each, anchor))
        except Exception as error:
            note_failure(strategy, error, "An offer is omitted")
    return offers


def reason_of(
    catalog: Catalog, request: HttpRequest | None, eligible: EligibleOffer, anchor: AnchorProduct | None
) -> str:
    """Why it is offered, in the active language; "" where there is nothing to say."""
    return upgrade_sentence(catalog, request, eligible, anchor) or sentence(eligible.offer)


def _image(catalog: Catalog, product: Any) -> str:
    try:
        return safe_url(catalog.image_url(product) or "")
    except Exception as error:
        note_failure("image_url", error, "An offer is shown without its image")
        return ""


def safe_url(url: str) -> str:
    """``url`` if it is relative or uses HTTP(S); otherwise empty, as for ``javascript:``."""
    cleaned = url if url.isprintable() else "".join(letter for letter in url if letter.isprintable())
    cleaned = cleaned.strip()
    if cleaned.startswith("/"):
        return cleaned
    try:
        scheme = urlsplit(cleaned).scheme.lower()
    except ValueError:
        return ""
    return cleaned if scheme in {"", "http", "https"} else ""
