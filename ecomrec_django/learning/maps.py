"""Vectors of many numbers as places on a map: what is alike lies together."""

from __future__ import annotations

import numpy as np

# Items of a map: more would hide each other.
MOST = 600
_FEW = 10
_NUMBERS = 30


def on_a_map(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """Places in a square of 0…1, shape (vectors, 2), by t-SNE on the first principal components.

    Of fewer than ten vectors the first two components alone. The same vectors and seed give the same map. Source:
    L. van der Maaten and G. Hinton, Visualizing Data using t-SNE, JMLR 9 (2008).
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    if not len(vectors):
        return np.empty((0, 2))
    middle = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, scale, directions = np.linalg.svd(middle, full_matrices=False)
    places = middle @ directions[:_NUMBERS].T
    if len(vectors) >= _FEW and scale.any():
        with threadpool_limits(1):
            places = TSNE(perplexity=min(30, len(vectors) / 4), init="pca", random_state=seed).fit_transform(places)
    else:
        places = np.pad(places[:, :2], ((0, 0), (0, max(2 - places.shape[1], 0))))
    low, high = places.min(axis=0), places.max(axis=0)
    return (places - low) / np.maximum(high - low, 1e-9)
