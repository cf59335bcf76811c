"""A network stored for one catalog, and read for another."""

import numpy as np
import pytest

from ecomrec_django.errors import DataError
from ecomrec_django.learning import npz
from ecomrec_django.learning.interactions import KINDS, IdMap
from ecomrec_django.learning.sequences.gru import GAPS, NEVER, GRUModel, ItemEmbeddingParts
from ecomrec_django.learning.sequences.model import SequenceModel, load, save

UNITS, FEATURES = 3, 2
IDS, CATEGORIES = np.array([10, 20, 30]), np.array([5, 6])


def numbers(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def model(content: bool = True, categories: bool = True) -> SequenceModel:
    width = UNITS + 1
    network = GRUModel(
        items=numbers(len(IDS) + 1, width),
        kinds=numbers(len(KINDS), UNITS),
        gaps=numbers(GAPS, UNITS),
        kernel=numbers(UNITS, 3 * UNITS),
        recurrent=numbers(UNITS, 3 * UNITS),
        bias=numbers(2, 3 * UNITS),
    )
    features = FEATURES if content else 0
    origin = ItemEmbeddingParts(
        numbers(width),
        numbers(len(CATEGORIES) + 1, width) * categories,
        numbers(features, width),
        -numbers(features, width),
    )
    return SequenceModel(
        network=network, origin=origin, ids=IdMap(IDS), categories=IdMap(CATEGORIES), image_network="seer"
    )


LOOKS = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0], [0.0, 0.0]], np.float32)


def test_known_items_keep_their_vectors_in_any_order():
    made = model()
    found = made.renumbered(np.array([20, 10]), np.array([5, 6]), LOOKS[:2], "seer")
    np.testing.assert_array_equal(found.items, made.network.items[[1, 0, 3]])
    np.testing.assert_array_equal(found.kernel, made.network.kernel)


def test_a_new_item_is_made_of_its_category_and_its_picture():
    made = model()
    ids, category = np.array([10, 40, 50]), np.array([5, 6, 99])
    found = made.renumbered(ids, category, LOOKS[:3], "seer").items
    origin, looks = made.origin, LOOKS[:3]

    def seen(row):
        return looks[row] @ origin.project / (1 + np.exp(-looks[row] @ origin.gate))

    np.testing.assert_allclose(found[1], origin.unknown + origin.categories[2] + seen(1), rtol=1e-5)
    # Of a category that came later nothing is known.
    np.testing.assert_allclose(found[2], origin.unknown + origin.categories[0] + seen(2), rtol=1e-5)


@pytest.mark.parametrize(("looks", "by"), [(None, ""), (LOOKS[:1], "another"), (LOOKS[:1, :1], "seer")])
def test_pictures_that_another_network_has_seen_say_nothing(looks, by):
    made = model()
    found = made.renumbered(np.array([40]), np.array([5]), looks, by).items
    np.testing.assert_allclose(found[0], made.origin.unknown + made.origin.categories[1], rtol=1e-5)


def test_a_network_of_ids_never_predicts_new_items():
    made = model(content=False, categories=False)
    found = made.renumbered(np.array([10, 40]), np.array([5, 5]), None, "").items
    assert found[1, -1] == NEVER
    assert found[0, -1] == made.network.items[0, -1]


def test_a_stored_network_can_be_loaded(tmp_path):
    made = model()
    save(made, tmp_path / "one.npz")
    found = load(tmp_path / "one.npz")
    for name, array in made.network.arrays().items():
        np.testing.assert_array_equal(found.network.arrays()[name], array)
    for name, array in vars(made.origin).items():
        np.testing.assert_array_equal(getattr(found.origin, name), array)
    assert (found.ids.ids.tolist(), found.categories.ids.tolist(), found.image_network) == (
        [10, 20, 30],
        [5, 6],
        "seer",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": np.array([1, 2])}, "do not belong together"),
        ({"origin.gate": np.zeros((1, 4), np.float32)}, "do not belong together"),
        ({"origin.gate": None}, "holds no recurrent network"),
        ({"network.bias": None}, "lacks 'bias'"),
        ({"categories": np.array([6, 5])}, "must be sorted"),
    ],
)
def test_inconsistent_arrays_are_rejected(change, message, tmp_path):
    save(model(), tmp_path / "one.npz")
    arrays, facts = npz.read_npz(tmp_path / "one.npz")
    kept = {name: array for name, array in {**arrays, **change}.items() if array is not None}
    npz.write_npz(tmp_path / "one.npz", kept, facts)
    with pytest.raises(DataError, match=message):
        load(tmp_path / "one.npz")
