"""Search of items by id or title through an index, fast even with a million items."""

from __future__ import annotations

from django.db.models import Max, Q, QuerySet

from ...models import Item

# Up to this many items, words anywhere in a title match (a scan of ~0.1 s); beyond, only its beginning does.
SCANNED = 200_000
# Maximum number of items whose lists or overrides one search shows.
FOUND = 500


def search_items(items: QuerySet[Item], text: str) -> QuerySet[Item]:
    """The item with the shop's id ``text``, else the items whose title matches it."""
    text = text.strip()
    if not text:
        return items
    exact = items.filter(external_id=text)
    if exact.exists():
        return exact
    newest = Item.objects.aggregate(newest=Max("pk"))["newest"] or 0
    if newest > SCANNED:
        return items.filter(title__istartswith=text)
    words = Q()
    for word in text.split():
        words &= Q(title__icontains=word)
    return items.filter(words)


def matching_ids(text: str) -> list[int]:
    """Primary keys of the first items that match."""
    return list(search_items(Item.objects.order_by("title"), text).values_list("pk", flat=True)[:FOUND])
