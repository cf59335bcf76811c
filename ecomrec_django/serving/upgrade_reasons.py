"""Reasons of upgrades: first what the shopper gains, then what that costs more."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext

from ..catalog.adapter import Catalog
from ..learning.amounts import Amount, is_content_name, size_ratio
from ..models.sizes import format_amount
from ..strategies.base import Reason, evidence_of
from ..strategies.upgrade_candidates import MIN_BRAND_STEPS, is_better_rated
from .anchor_product import AnchorProduct, live_amount
from .comparison import compare
from .guard import EligibleOffer
from .reasons import sentence

# Maximum length of a reason.
LONGEST_REASON = 80
# The saving per unit that is said, in percent: a larger one is rather a size that the shop has wrong.
MIN_SAVING, MAX_SAVING = 5, 50


def upgrade_sentence(
    catalog: Catalog, request: HttpRequest | None, eligible: EligibleOffer, anchor: AnchorProduct | None
) -> str:
    """What a live upgrade has over its anchor, and the price difference: "1 gal instead of 1/2 gal, +$1.30".

    Empty for other offers, and if a price is unknown.
    """
    offer, _, price = eligible
    if offer.reason is not Reason.UPGRADE or anchor is None or price is None or not anchor.price:
        return ""
    gains = _gains(catalog, eligible, anchor) or [sentence(offer)]
    costs = [signed_price(catalog, price - anchor.price, request)] if price != anchor.price else []
    while len(gains) > 1 and len(", ".join([*gains, *costs])) > LONGEST_REASON:
        gains.pop()
    return capfirst(", ".join([*gains, *costs]))


def signed_price(catalog: Catalog, difference: Decimal, request: HttpRequest | None) -> str:
    """A price difference with its sign, as the shop writes prices: "+$1.30"."""
    text = catalog.format_price(abs(difference), request)
    return f"+{text}" if difference >= 0 else f"−{text}"


def amount_text(amount: Amount) -> str:
    """An amount as the shop writes it, or else in metric units."""
    if amount.text and not amount.text.isdecimal():
        return amount.text
    return format_amount(amount.value, amount.unit)


def _gains(catalog: Catalog, eligible: EligibleOffer, anchor: AnchorProduct) -> list[str]:
    """The advantages that the page can name, the strongest first."""
    offer, product, price = eligible
    before, after = anchor.attributes, catalog.compared_attributes(product)
    size = _size_gain(live_amount(catalog, product), anchor, price)
    if size is not None:
        before, after = _without_amounts(before), _without_amounts(after)
    gains = [size] if size else []
    if is_better_rated(catalog.base_rating(product), anchor.rating):
        gains.append(gettext("better rated"))
    gains += [change.text for change in compare(before, after)]
    brand = catalog.display_brand(product)
    if brand and (evidence_of(offer).get("brand") or 0) >= MIN_BRAND_STEPS:
        gains.append(gettext("customers move up to %(brand)s") % {"brand": brand})
    return gains


def _size_gain(amount: Amount | None, anchor: AnchorProduct, price: Decimal | None) -> str | None:
    """How much more it holds and what that saves; "" if it does not, None if the two cannot be compared."""
    other = anchor.amount
    ratio = size_ratio(amount, other)
    if ratio is None or amount is None or other is None:
        return None
    if ratio <= 1:
        return ""
    text = gettext("%(value)s instead of %(other)s") % {"value": amount_text(amount), "other": amount_text(other)}
    saved = round(100 * (1 - float(price / anchor.price) / ratio)) if price and anchor.price else 0
    if not MIN_SAVING <= saved <= MAX_SAVING:
        return text
    saving = gettext("%(percent)s%% less for the same amount") % {"percent": saved}
    return f"{text} ({saving})"


def _without_amounts(attributes: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in attributes.items() if not is_content_name(name)}
