"""The rows of a shop's catalog and of its mirror, as a sync would have left them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

TEXT = "One of the products that this shop has sold for years. " * 5
AT_ONCE = 2_000


class CategoryRow(NamedTuple):
    """A category; ``parent`` and ``aisle`` are primary keys."""

    pk: int
    name: str
    parent: int | None
    aisle: int


def write_categories(rows: Iterable[CategoryRow]) -> None:
    """The mirror's categories, parents first."""
    from ecomrec_django.models import Category

    Category.objects.bulk_create(
        Category(
            pk=row.pk,
            name=row.name,
            path=row.name,
            digest=str(row.pk),
            path_digest=str(row.pk),
            parent_id=row.parent,
            aisle_id=row.aisle,
        )
        for row in rows
    )


def write_products(rows: Iterable[tuple[int, int, str]]) -> None:
    """The shop's products and the mirror's items, from (primary key, that of the category, price) of each."""
    from ecomrec_django.db import chunks
    from ecomrec_django.models import Item
    from example_shop.models import Product

    for some in chunks(rows, AT_ONCE):
        Product.objects.bulk_create(
            Product(
                pk=pk,
                sku=str(pk),
                title=f"Product {pk}",
                category_id=category,
                price=price,
                brand="B",
                stock=100,
                image=f"products/{pk % 90}.png",
                description=TEXT,
            )
            for pk, category, price in some
        )
        Item.objects.bulk_create(
            Item(
                pk=pk,
                external_id=str(pk),
                title=f"Product {pk}",
                category_id=category,
                brand="B",
                description=TEXT,
                attributes={},
                fingerprint=str(pk),
            )
            for pk, category, _ in some
        )
