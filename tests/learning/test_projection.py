import numpy as np
import pytest

from ecomrec_django.learning.projection import project_2d


def test_similar_vectors_lie_together():
    rng = np.random.default_rng(0)
    middles = np.repeat(rng.normal(size=(4, 16)) * 5, 30, axis=0)
    places = project_2d(middles + rng.normal(size=middles.shape))
    assert places.shape == (120, 2)
    assert (places.min(), places.max()) == (0.0, 1.0)
    distance = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    group = np.repeat(np.arange(4), 30)
    assert (group[distance.argmin(axis=1)] == group).mean() > 0.97
    np.testing.assert_array_equal(project_2d(middles), project_2d(middles))


@pytest.mark.parametrize(
    ("vectors", "shape"),
    [(np.empty((0, 5)), (0, 2)), (np.ones((1, 5)), (1, 2)), (np.ones((20, 5)), (20, 2)), (np.eye(3), (3, 2))],
)
def test_few_vectors_or_equal_ones_have_places_too(vectors, shape):
    places = project_2d(vectors)
    assert places.shape == shape
    assert np.isfinite(places).all()


def test_few_vectors_are_projected_by_principal_components():
    line = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [4.0, 4.0, 0.0]])
    across = project_2d(line)[:, 0]
    assert sorted([across[0], across[2]]) == [0.0, 1.0]
    assert min(abs(across[1] - 0.25), abs(across[1] - 0.75)) < 1e-9
