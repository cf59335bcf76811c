"""What the mirror stores of one product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFacts:
    """What the mirror stores of one product.

    external_id: the shop's id of the product
    title: as shoppers see it
    category: names from the root to the leaf
    category_keys: permanent keys of these categories, the last that of the leaf; empty where names are all there is
    price: in the base currency; None if unknown
    brand: empty if unknown
    rating: mean rating, on the shop's own scale; None without reviews
    image: address or path of the image
    description: plain text
    available: whether it can be bought now
    attributes: values by name, such as ``{"colour": "red"}``
    cost: purchase cost of the shop, in the base currency; None if unknown
    amount, unit: how much it holds, such as 1.5 and "kg"; None and "": read from the attributes or the title
    replaces: id of the product whose place it takes, as a new SKU of the same thing; empty for none
    sellable: whether shoppers choose it; not fees, postage, bags or vouchers, which are never learned from nor offered
    """

    external_id: str
    title: str
    category: tuple[str, ...] = ()
    category_keys: tuple[str, ...] = ()
    price: Decimal | None = None
    brand: str = ""
    rating: float | None = None
    image: str = ""
    description: str = ""
    available: bool = True
    attributes: Mapping[str, str] = field(default_factory=dict)
    cost: Decimal | None = None
    amount: float | None = None
    unit: str = ""
    sellable: bool = True
    replaces: str = ""
