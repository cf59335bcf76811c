"""Image vectors of items: the embeddings that an image network made."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from ..db import MAX_LOOKUP_IDS, chunks
from ..learning.sparse import positions
from ..learning.types import FloatArray
from ..models import ItemPicture

if TYPE_CHECKING:
    import pyarrow as pa

STORED = np.dtype("<f2")


def pack_vectors(vectors: FloatArray) -> list[bytes]:
    """Vectors as `ItemPicture.vector` holds them, shape (images, width)."""
    return [row.tobytes() for row in vectors.astype(STORED)]


def unpack_vector(vector: bytes | memoryview) -> FloatArray:
    """The vector that `pack_vectors` has put into these bytes, float32."""
    return np.frombuffer(bytes(vector), STORED).astype(np.float32)


def load_image_vectors(items: pa.Table) -> tuple[FloatArray | None, str]:
    """Image vectors in the order of ``items``, float32, and the name of the network that made them.

    items: columns ITEMS, sorted by item; one without an image has a vector of zeros.

    Only those of the network with the most vectors count, as another's mean something else: while a new network
    embeds the catalog, and after it was interrupted, there are two. None and "" where there are no vectors.
    """
    ids = items["item"].to_numpy()
    stored = ItemPicture.objects.filter(vector__isnull=False).order_by("pk")
    if len(ids) < MAX_LOOKUP_IDS:
        stored = stored.filter(pk__in=ids.tolist())
    rows = stored.values_list("pk", "network", "vector").iterator(chunk_size=10_000)
    by_network: dict[str, FloatArray] = {}
    counts: Counter[str] = Counter()
    for chunk in chunks(rows):
        for network in {name for _, name, _ in chunk}:
            pks, packed = zip(*((pk, vector) for pk, name, vector in chunk if name == network), strict=True)
            vectors = np.stack([unpack_vector(vector) for vector in packed])
            row = positions(ids, np.array(pks))
            present = row >= 0
            if network not in by_network:
                by_network[network] = np.zeros((len(ids), vectors.shape[1]), np.float32)
            by_network[network][row[present]] = vectors[present]
            counts[network] += len(pks)
    if not counts:
        return None, ""
    network = counts.most_common(1)[0][0]
    return by_network[network], network
