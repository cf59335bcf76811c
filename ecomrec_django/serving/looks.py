"""What looks like an item, by the pictures that the published release was trained with."""

from __future__ import annotations

import numpy as np

from ..models import Publication
from .learned import model_of

# Rows compared at once, as numpy multiplies float16 by way of float32.
_AT_ONCE = 20_000


def looking_like(item: int, k: int) -> list[tuple[int, float]]:
    """The ``k`` offered items whose pictures are most like that of ``item``: Item.pk and cosine, best first.

    Empty where nothing is published, where the release does not know the item's picture, or while a process that has
    not asked before reads the release.
    """
    published = Publication.objects.filter(pk=1).values_list("release_id", "release__digest").first()
    model = model_of(*published) if published is not None else None
    if model is None or not model.looks.shape[1]:
        return []
    (number,) = model.ids.numbers(np.array([item]))
    if number < 0:
        return []
    own = model.looks[number].astype(np.float32)
    if not own.any():
        return []
    starts = range(0, len(model.looks), _AT_ONCE)
    alike = np.concatenate([model.looks[start : start + _AT_ONCE].astype(np.float32) @ own for start in starts])
    alike[number] = 0.0
    alike[~model.facts.offered] = 0.0
    best = np.argsort(-alike, kind="stable")[:k]
    return [(int(model.ids.ids[at]), float(alike[at])) for at in best if alike[at] > 0]
