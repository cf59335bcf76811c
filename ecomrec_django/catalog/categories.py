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
        aisle = aisle_path(path)
        own = aisle == path
        row = Category(
            digest=digest,
            parent_id=self.pk(path[:-1]),
            name=path[-1][:255],
            path=CATEGORY_SEPARATOR.join(path),
            aisle_id=None if own else self.pk(aisle),
        )
        # Another sync may be making it too.
        Category.objects.bulk_create([row], ignore_conflicts=True)
        pk = Category.objects.values_list("pk", flat=True).get(digest=digest)
        if own:
            Category.objects.filter(pk=pk).update(aisle_id=pk)
        return pk


def digest_of(path: tuple[str, ...]) -> str:
    """Category.digest of a path."""
    return blake2b("\0".join(path).encode(), digest_size=16).hexdigest()
