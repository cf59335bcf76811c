"""What single rows of the adapter's ``order_model`` say of the orders that are stored."""

from __future__ import annotations

from typing import Any

from ...catalog.adapter import PurchaseLine
from ...catalog.paths import model_named
from ...catalog.values import KeyCleaner
from ...conf import conf
from ...db import MAX_LOOKUP_IDS, chunks
from ...failures import RecordLog
from ...models import Event, Kind
from ..visitors import user_key
from .base import RecordSource
from .lines import PurchaseValidator
from .orders import CHUNK, import_order


def follow_new_owners(key: str) -> None:
    """Import the stored orders of the visitor under ``key`` that the shop has given to other accounts since."""
    catalog = conf.CATALOG()
    if catalog.order_model is None:
        return
    bought = Event.objects.filter(visitor__key=key, kind=Kind.PURCHASE.value).exclude(basket="").order_by()
    model = model_named(catalog.order_model)
    clean = KeyCleaner(model._meta.pk if catalog.order_key == "pk" else model._meta.get_field(catalog.order_key))
    numbers = (clean(basket) for basket in bought.values_list("basket", flat=True).distinct())
    for chunk in chunks((number for number in numbers if number is not None), MAX_LOOKUP_IDS):
        for order in model._default_manager.filter(**{f"{catalog.order_key}__in": chunk}):
            owners = {line.user for line in catalog.order_lines(order) if isinstance(line, PurchaseLine)}
            if any(owner and user_key(owner) != key for owner in owners):
                import_order(order)


def baskets_of(order: Any) -> set[str]:
    """`Event.basket` of one row of the adapter's ``order_model``; it has several where it is split among stores."""
    catalog = conf.CATALOG()
    source = RecordSource(f"{type(catalog).__name__}.order_lines", catalog.order_lines(order))
    lines = [line for some in source.chunks(CHUNK) for line in some]
    source.check()
    return {line.order for line in PurchaseValidator(catalog, RecordLog("Order line")).valid(lines)} - {""}
