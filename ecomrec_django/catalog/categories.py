"""Category rows, each known by its key: the shop's own, or its path where the shop has none."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from ..models import Category, Item
from ..models.catalog import CATEGORY_SEPARATOR, aisle_path
from .adapter import Catalog
from .language import catalog_language

Names = tuple[str, ...]


class CategoryTree:
    """The whole category tree in memory; rows are created, renamed and moved as the shop's categories are."""

    def __init__(self) -> None:
        self._rows: dict[int, Category] = {row.pk: row for row in Category.objects.all()}
        self._by_digest: dict[str, int] = {row.digest: row.pk for row in self._rows.values()}
        self._known: dict[tuple[Names, Names], int | None] = {((), ()): None}
        # What the shop says of the categories that it was asked about.
        self._paths: dict[int, Names] = {}
        self._created: set[int] = set()
        self._moved: set[int] = set()

    def pk(self, path: Names, keys: Names = ()) -> int | None:
        """Category.pk of ``path``, created with its ancestors if missing; None for the empty path.

        keys: the shop's own keys from the root to the leaf, "" for a category without one; none at all for none
        """
        known = (path, keys)
        if known not in self._known:
            self._known[known] = self._row(path, keys or ("",) * len(path)) if path else None
        return self._known[known]

    def known_pk(self, path: Names) -> int | None:
        """The same of a path whose keys are not known: it may be that of a category with keys."""
        digest = digest_of(path)
        known = (pk for pk, row in sorted(self._rows.items()) if row.path_digest == digest)
        return next(known, None) or self.pk(path)

    def finish(self) -> None:
        """What is left once the shop was asked about all its categories.

        One that came back under another key, as after an import that makes all of them anew, takes its old row. What
        lies below a category that was renamed or moved, but holds no product that would say so, follows it.
        """
        if self._created:
            self._reunite()
        if self._moved:
            self._follow()

    def _row(self, path: Names, keys: Names) -> int:
        digest, path_digest, aisle = digest_of(path, keys[-1]), digest_of(path), aisle_path(path)
        parent = self.pk(path[:-1], keys[:-1])
        pk = self._by_digest.get(digest)
        if pk is None and keys[-1]:
            # It had no key before.
            pk = self._by_digest.get(path_digest)
        if pk is None:
            pk = self._create(digest)
        self._paths[pk] = path
        self._update(
            pk,
            parent_id=parent,
            name=path[-1][:255],
            path=CATEGORY_SEPARATOR.join(path),
            path_digest=path_digest,
            aisle_id=pk if aisle == path else self.pk(aisle, keys[: len(aisle)]),
            key=keys[-1],
            digest=digest,
        )
        return pk

    def _create(self, digest: str) -> int:
        # A concurrent sync may create it, too.
        Category.objects.bulk_create([Category(digest=digest)], ignore_conflicts=True)
        row = Category.objects.get(digest=digest)
        self._rows[row.pk] = row
        self._by_digest[digest] = row.pk
        self._created.add(row.pk)
        return row.pk

    def _update(self, pk: int, **values: Any) -> None:
        row = self._rows[pk]
        changed = {name: value for name, value in values.items() if getattr(row, name) != value}
        if not changed:
            return
        Category.objects.filter(pk=pk).update(**changed)
        if "digest" in changed:
            self._by_digest.pop(row.digest, None)
            self._by_digest[changed["digest"]] = pk
        if "path" in changed and pk not in self._created:
            self._moved.add(pk)
        for name, value in changed.items():
            setattr(row, name, value)

    def _reunite(self) -> None:
        alive = self._alive()
        left = {
            row.path_digest: row
            for row in sorted(self._rows.values(), key=lambda row: -row.pk)
            if row.pk not in alive and row.pk not in self._created
        }
        pairs: dict[int, int] = {}
        for pk in sorted(self._created):
            if (former := left.pop(self._rows[pk].path_digest, None)) is not None:
                pairs[pk] = former.pk
        for new, old in pairs.items():
            Item.objects.filter(category=new).update(category=old)
            Category.objects.filter(parent=new).update(parent=old)
            Category.objects.filter(aisle=new).update(aisle=old)
        for row in self._rows.values():
            row.parent_id = pairs.get(row.parent_id or 0, row.parent_id)
            row.aisle_id = pairs.get(row.aisle_id or 0, row.aisle_id)
        Category.objects.filter(pk__in=pairs).delete()
        for new, old in pairs.items():
            row = self._rows.pop(new)
            self._paths[old] = self._paths.pop(new)
            self._update(old, parent_id=row.parent_id, aisle_id=row.aisle_id, key=row.key, digest=row.digest)

    def _alive(self) -> set[int]:
        """The categories that hold active products, and those above them."""
        alive: set[int] = set()
        active = Item.objects.filter(active=True, category__isnull=False).order_by()
        for leaf in active.values_list("category", flat=True).distinct():
            pk: int | None = leaf
            while pk is not None and pk not in alive:
                alive.add(pk)
                pk = self._rows[pk].parent_id if pk in self._rows else None
        return alive

    def _follow(self) -> None:
        followed: dict[int, bool] = {}
        for pk in self._rows:
            self._follow_row(pk, followed)

    def _follow_row(self, pk: int, followed: dict[int, bool]) -> bool:
        """Whether a category, or one above it, was renamed or moved; its path then follows."""
        if pk not in followed:
            row = self._rows[pk]
            followed[pk] = pk in self._moved
            above = None if pk in self._paths else self._rows.get(row.parent_id or 0)
            if above is not None and self._follow_row(above.pk, followed):
                followed[pk] = True
                self._rename(row, (*self._names(above.pk), row.name))
        return followed[pk]

    def _rename(self, row: Category, path: Names) -> None:
        digest = row.digest if row.key else digest_of(path)
        if digest != row.digest and digest in self._by_digest:
            # Another category has this path by now, which is all that this one is known by.
            return
        self._paths[row.pk] = path
        self._update(
            row.pk,
            path=CATEGORY_SEPARATOR.join(path),
            path_digest=digest_of(path),
            aisle_id=row.parent_id if len(path) >= 3 else row.pk,
            digest=digest,
        )

    def _names(self, pk: int) -> Names:
        if pk not in self._paths:
            row = self._rows[pk]
            self._paths[pk] = (*(self._names(row.parent_id) if row.parent_id in self._rows else ()), row.name)
        return self._paths[pk]


def digest_of(path: Names, key: str = "") -> str:
    """Category.digest of a category with this key, or, without one, this path."""
    # No name holds a NUL.
    return blake2b(f"\0{key}".encode() if key else "\0".join(path).encode(), digest_size=16).hexdigest()


def category_digests(catalog: Catalog, category: Any) -> tuple[str, ...]:
    """The digests by which the mirror may know a category of the shop, the surest first: of its key, and of its path.

    category: what `Catalog.category_path` takes
    """
    # As in a sync, whoever asks.
    with catalog_language():
        path, keys = catalog.category_path(category), catalog.category_keys(category)
    digests = [digest_of(path, keys[-1])] if keys and keys[-1] else []
    return tuple(dict.fromkeys([*digests, digest_of(path)]))


def aligned(keys: Iterable[str], path: Names) -> Names:
    """One key for each name of a path, from the leaf up; "" where there is none. Empty where none is known."""
    given = tuple(keys)[-len(path) :] if path else ()
    named = [key for key in given if key]
    # A circle of categories has no order.
    if not named or len(set(named)) < len(named):
        return ()
    return (("",) * (len(path) - len(given))) + given
