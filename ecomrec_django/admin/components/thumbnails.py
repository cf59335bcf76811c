"""Images of items, at a fixed size so that pages do not shift while loading."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString

from ...models import Item


def thumbnail(item: Item | None, size: int = 48) -> SafeString:
    """An ``<img>`` of ``size`` CSS pixels square, or a neutral box; ``alt`` is empty, since the title is next to it."""
    if item is None or not item.image:
        return format_html('<span class="ecomrec-picture ecomrec-picture-{} ecomrec-no-picture"></span>', size)
    return format_html(
        '<img class="ecomrec-picture ecomrec-picture-{0}" src="{1}" width="{0}" height="{0}" alt="" loading="lazy">',
        size,
        item.image,
    )
