"""The branch of each category: its names and keys from the root down, each category read once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

DEEPEST = 32  # levels of a category tree


class Branch(NamedTuple):
    """Names and keys from the root to a category, as many of one as of the other."""

    names: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


class Branches:
    """The branches of categories that are objects with ``name`` and ``parent``, by primary key.

    key: the permanent key of a category; "" for none
    """

    def __init__(self, key: Callable[[Any], str]) -> None:
        self.key = key
        self._known: dict[Any, Branch] = {}

    def known(self, pk: Any) -> Branch | None:
        """The branch of a category that was read before."""
        return self._known.get(pk)

    def of(self, node: Any, depth: int = 0) -> Branch:
        """The branch of a category."""
        # The limit also ends cycles.
        if node is None or depth == DEEPEST:
            return Branch()
        pk = getattr(node, "pk", None)
        if pk in self._known:
            return self._known[pk]
        above = self._known.get(getattr(node, "parent_id", None))
        if above is None:
            above = self.of(getattr(node, "parent", None), depth + 1)
        branch = Branch((*above.names, str(getattr(node, "name", node))), (*above.keys, self.key(node)))
        if pk is not None:
            self._known[pk] = branch
        return branch
