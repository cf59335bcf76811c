"""Vectors projected to a map of two dimensions: similar ones lie together."""

from __future__ import annotations

import numpy as np

from .types import FloatArray

# Items of a map: more would hide each other.
MAX_POINTS = 600
# Fewer vectors are projected by principal components alone.
_MIN_VECTORS = 10
_COMPONENTS = 30


def project_2d(vectors: FloatArray, seed: int = 0) -> FloatArray:
    """Points in a square of 0…1, shape (vectors, 2), by t-SNE on the first principal components.

    Of fewer than ten vectors the first two components alone. The same vectors and seed give the same map. Source:
    L. van der Maaten and G. Hinton, Visualizing Data using t-SNE, JMLR 9 (2008).
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    if not len(vectors):
        return np.empty((0, 2))
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, scale, directions = np.linalg.svd(centred, full_matrices=False)
    points = centred @ directions[:_COMPONENTS].T
    if len(vectors) >= _MIN_VECTORS and scale.any():
        with threadpool_limits(1):
            points = TSNE(perplexity=min(30, len(vectors) / 4), init="pca", random_state=seed).fit_transform(points)
    else:
        points = np.pad(points[:, :2], ((0, 0), (0, max(2 - points.shape[1], 0))))
    low, high = points.min(axis=0), points.max(axis=0)
    return (points - low) / np.maximum(high - low, 1e-9)
