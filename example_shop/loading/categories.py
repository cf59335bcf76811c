"""Category paths of a file, made into the shop's tree."""

import hashlib

from django.utils.text import slugify

from ..models import Category


class CategoryTree:
    """Finds the category of a path of names, and makes what is missing on the way."""

    def __init__(self) -> None:
        self.made = 0
        self._known = {
            (parent, name): pk
            for pk, parent, name in Category.objects.order_by().values_list("pk", "parent_id", "name")
        }
        self._slugs = set(Category.objects.order_by().values_list("slug", flat=True))

    def key(self, path: tuple[str, ...]) -> int | None:
        """Primary key of the leaf; None for an empty path."""
        parent = None
        for depth, name in enumerate(path, 1):
            name = name[:255]
            if (parent, name) not in self._known:
                self._known[parent, name] = Category.objects.create(
                    name=name, slug=self._slug(path[:depth]), parent_id=parent
                ).pk
                self.made += 1
            parent = self._known[parent, name]
        return parent

    def _slug(self, path: tuple[str, ...]) -> str:
        """The name alone where it is free, then with its parent's, then with a digest of the path."""
        digest = hashlib.blake2b("\0".join(path).encode(), digest_size=8).hexdigest()
        candidates = [
            slugify(path[-1])[:200],
            slugify(" ".join(path[-2:]))[:200],
            f"{slugify(path[-1])[:200]}-{digest}",
        ]
        slug = next(slug for slug in candidates if slug and slug not in self._slugs)
        self._slugs.add(slug)
        return slug
