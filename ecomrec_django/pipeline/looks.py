"""How items look, as the vectors that a network made of their pictures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models import ItemPicture
from ..models.bulk import LOOKUP, chunks

if TYPE_CHECKING:
    import pyarrow as pa

STORED = np.dtype("<f2")


def packed(vectors: np.ndarray) -> list[bytes]:
    """Vectors as `ItemPicture.vector` holds them, shape (pictures, width)."""
    return [row.tobytes() for row in vectors.astype(STORED)]


def looks_of(items: pa.Table) -> np.ndarray | None:
    """Vectors in the order of ``items`` (columns ITEMS, sorted by item), float32, 0 for an item without a picture.

    None where no picture was looked at.
    """
    ids = items["item"].to_numpy()
    stored = ItemPicture.objects.filter(vector__isnull=False).order_by("pk")
    if len(ids) < LOOKUP:
        stored = stored.filter(pk__in=ids.tolist())
    return _aligned(ids, stored.values_list("pk", "vector").iterator(chunk_size=10_000))


def _aligned(ids: np.ndarray, rows: Iterable[tuple[int, Any]]) -> np.ndarray | None:
    looks: np.ndarray | None = None
    for some in chunks(rows):
        pks = np.array([pk for pk, _ in some])
        vectors = np.stack([np.frombuffer(bytes(vector), STORED) for _, vector in some]).astype(np.float32)
        at = np.minimum(np.searchsorted(ids, pks), len(ids) - 1)
        known = ids[at] == pks
        if looks is None:
            looks = np.zeros((len(ids), vectors.shape[1]), np.float32)
        looks[at[known]] = vectors[known]
    return looks
