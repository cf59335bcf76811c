"""Category rows by path, made where missing."""

from __future__ import annotations

from hashlib import blake2b

from ..models import Category
from ..models.catalog import CATEGORY_SEPARATOR, aisle_path


class CategoryTree:
    """The whole tree in memory: path -> Category.pk."""

    def __init__(self) -> None:
        self._by_digest: dict[str, int] = dict(Category.objects.values_list("digest", "pk"))
        self._by_path: dict[tuple[str, ...], int | None] = {(): None}

    def pk(self, path: tuple[str, ...]) -> int | None:
        """The row of ``path``, with its ancestors, made if missing; None for the empty path."""
        if path not in self._by_path:
            digest = digest_of(path)
            self._by_path[path] = self._by_digest.get(digest) or self._make(path, digest)
        return self._by_path[path]

    def _make(self, path: tuple[str, ...], digest: str) -> int:
        category, _ = Category.objects.get_or_create(
            digest=digest,
            defaults={
                "parent_id": self.pk(path[:-1]),
                "name": path[-1][:255],
                "path": CATEGORY_SEPARATOR.join(path),
            },
        )
        aisle = aisle_path(path)
        category.aisle_id = category.pk if aisle == path else self.pk(aisle)
        category.save(update_fields=["aisle"])
        return category.pk


def digest_of(path: tuple[str, ...]) -> str:
    """Category.digest of a path."""
    return blake2b("\0".join(path).encode(), digest_size=16).hexdigest()
