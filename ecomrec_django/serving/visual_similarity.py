"""Visually similar items, by the image vectors of the published release."""

from __future__ import annotations

import numpy as np

from ..models import Publication
from .model_cache import cached_model

# Rows compared at once: numpy converts float16 to float32 to multiply.
_AT_ONCE = 20_000


def visually_similar(item: int, k: int) -> list[tuple[int, float]]:
    """The ``k`` offered items with the images most similar to that of ``item``: Item.pk and cosine, best first.

    Empty if nothing is published, if the release has no vector of the item's image, or while this process is still
    loading the release.
    """
    published = Publication.objects.current().values_list("release_id", "release__digest").first()
    model = cached_model(*published) if published is not None else None
    if model is None or not model.image_vectors.shape[1]:
        return []
    (number,) = model.ids.numbers(np.array([item]))
    if number < 0:
        return []
    vector = model.image_vectors[number].astype(np.float32)
    if not vector.any():
        return []
    starts = range(0, len(model.image_vectors), _AT_ONCE)
    chunks = (model.image_vectors[start : start + _AT_ONCE] for start in starts)
    similarity = np.concatenate([chunk.astype(np.float32) @ vector for chunk in chunks])
    similarity[number] = 0.0
    similarity[~model.item_features.offered] = 0.0
    best = np.argsort(-similarity, kind="stable")[:k]
    return [(int(model.ids.ids[index]), float(similarity[index])) for index in best if similarity[index] > 0]
