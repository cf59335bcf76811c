"""What a merchant should know of the orders that a training learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..learning.statistics.cooccurrence import Statistics
from ..learning.statistics.item_counts import ENOUGH_ORDERS

if TYPE_CHECKING:
    import pyarrow as pa

MOST_NAMES = 5


def evidence_messages(statistics: Statistics, items: pa.Table) -> list[str]:
    """Messages about items in nearly every order, and about guests who cannot be told apart.

    items: columns ITEMS, sorted by item.
    """
    purchases = statistics.purchases()
    orders = statistics.baskets(purchases)
    if orders < ENOUGH_ORDERS:
        return []
    return [*_ubiquitous(statistics, purchases, items), *_anonymous(purchases, orders)]


def _ubiquitous(statistics: Statistics, purchases: pa.Table, items: pa.Table) -> list[str]:
    bought = statistics.items(purchases)
    share, found = bought.frequency, np.flatnonzero(bought.ubiquitous)
    found = found[np.argsort(-share[found], kind="stable")][:MOST_NAMES]
    if not len(found):
        return []
    titles = items["title"].to_pylist()
    names = ", ".join(f"“{titles[row]}” ({share[row]:.0%})" for row in found.tolist())
    return [
        f"Products in most orders: {names}. If shoppers do not choose them, as with fees, postage or bags, set "
        "ItemFacts.sellable to False: they are then neither offered nor counted."
    ]


def _anonymous(purchases: pa.Table, orders: float) -> list[str]:
    customer = purchases["customer"].to_numpy()
    anonymous = customer < 0
    count = len(np.unique(purchases["basket"].to_numpy()[anonymous]))
    if 2 * count <= orders:
        return []
    customers = len(np.unique(customer[anonymous]))
    return [
        f"{count} of {orders:.0f} orders are from guests who cannot be told apart, so together they count as "
        f"{customers} customers. Give PurchaseLine.guest, a hash of the guest's e-mail address, "
        "to count each of them."
    ]
