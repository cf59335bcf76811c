"""How items look, as the vectors that a network made of their pictures."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from ..models import ItemPicture
from ..models.bulk import LOOKUP, chunks

if TYPE_CHECKING:
    import pyarrow as pa

STORED = np.dtype("<f2")


def packed(vectors: np.ndarray) -> list[bytes]:
    """Vectors as `ItemPicture.vector` holds them, shape (pictures, width)."""
    return [row.tobytes() for row in vectors.astype(STORED)]


def unpacked(vector: bytes | memoryview) -> np.ndarray:
    """The vector that `packed` has put into these bytes, float32."""
    return np.frombuffer(bytes(vector), STORED).astype(np.float32)


def looks_of(items: pa.Table) -> tuple[np.ndarray | None, str]:
    """Vectors in the order of ``items`` (columns ITEMS, sorted by item), float32, 0 for an item without a picture; and
    the name of the network that made them.

    Those of one network alone, of the one that has seen most, as another's mean something else: while a new network
    looks at the catalog, and after it was interrupted, there are two. None and "" where no picture was looked at.
    """
    ids = items["item"].to_numpy()
    stored = ItemPicture.objects.filter(vector__isnull=False).order_by("pk")
    if len(ids) < LOOKUP:
        stored = stored.filter(pk__in=ids.tolist())
    rows = stored.values_list("pk", "network", "vector").iterator(chunk_size=10_000)
    looks: dict[str, np.ndarray] = {}
    seen: Counter[str] = Counter()
    for some in chunks(rows):
        for network in {name for _, name, _ in some}:
            pks, vectors = zip(*((pk, vector) for pk, name, vector in some if name == network), strict=True)
            known = np.stack([unpacked(vector) for vector in vectors])
            at = np.searchsorted(ids, pks)
            found = at < len(ids)
            found[found] = ids[at[found]] == np.array(pks)[found]
            if network not in looks:
                looks[network] = np.zeros((len(ids), known.shape[1]), np.float32)
            looks[network][at[found]] = known[found]
            seen[network] += len(pks)
    if not seen:
        return None, ""
    network = seen.most_common(1)[0][0]
    return looks[network], network
