"""The model in its folder: the same rankings come out, and nothing that was changed is read."""

import json
import shutil
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from ecomrec_django.errors import DataError
from ecomrec_django.learning.interactions import IdMap
from ecomrec_django.learning.ranker_training.fitting import draw_training_sample, fit_ranker
from ecomrec_django.learning.ranking.features import FEATURE_NAMES, feature_matrix
from ecomrec_django.learning.ranking.model import MANIFEST, VERSION, IdIndex, Model, load, store
from ecomrec_django.learning.ranking.ranker import rank
from ecomrec_django.learning.ranking.shopper_features import ShopperFeatures
from ecomrec_django.learning.ranking.shopper_history import PURCHASE, ShopperHistory
from tests.support.aisle_shop import AISLE, ITEMS, shop, with_networks

NAMES = [f"sku-{number}-ä" for number in range(ITEMS)]
IMAGES = np.random.default_rng(0).normal(size=(ITEMS, 4)).astype(np.float16)


@pytest.fixture(scope="module")
def planted():
    return shop()


@pytest.fixture(scope="module")
def model(planted):
    ranker = fit_ranker([draw_training_sample(planted.evaluation_slice(), max_cases=400)])
    ids = IdMap(np.arange(ITEMS) * 7 + 2**33)
    return Model(
        ids=ids,
        external_ids=IdIndex.of(NAMES),
        needs=AISLE + 1,
        aisles=AISLE + 1,
        item_features=planted.item_features,
        rankers={"for_you": ranker},
        newest=17_100.5,
        until=1.5e9,
        image_vectors=IMAGES,
    )


@pytest.fixture(scope="module")
def stored(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("releases") / "1"
    return folder, store(model, folder)


@pytest.fixture
def copy(stored, tmp_path):
    return shutil.copytree(stored[0], tmp_path / "copy"), stored[1]


def test_a_loaded_model_ranks_like_the_stored_one(planted, model, stored):
    other = load(*stored)
    for place in range(20):
        for anchors in ((), (place,), (place, 30)):
            one, two = (
                rank(each.rankers["for_you"], each.item_features, planted.shoppers[place], anchors, 17_110.0, 0.05)
                for each in (model, other)
            )
            assert one.items.tolist() == two.items.tolist()
            assert one.probabilities.tolist() == two.probabilities.tolist()
            assert np.array_equal(one.matrix, two.matrix, equal_nan=True)
    assert len(one.items) > 10


def test_a_loaded_model_equals_the_stored_one(model, stored):
    other = load(*stored)
    assert (other.ids.ids == model.ids.ids).all()
    assert (other.needs == model.needs).all()
    assert (other.aisles == model.aisles).all()
    assert (other.image_vectors == IMAGES).all()
    assert (other.newest, other.until, other.item_features.interest_weights) == (
        model.newest,
        model.until,
        model.item_features.interest_weights,
    )
    assert (other.rankers["for_you"].skill, other.rankers["for_you"].feature_names) == (
        model.rankers["for_you"].skill,
        model.rankers["for_you"].feature_names,
    )
    assert other.external_ids.texts(np.arange(ITEMS)) == NAMES
    assert other.external_ids.numbers([NAMES[3], "gone", NAMES[59]]).tolist() == [3, -1, 59]


def test_network_data_is_loaded_on_demand(planted, model, tmp_path):
    seen = with_networks(planted.item_features)
    asking = replace(model, item_features=replace(seen, image_vectors=IMAGES))
    found = load(tmp_path / "asking", store(asking, tmp_path / "asking"))
    assert (found.item_features.image_vectors == IMAGES).all()
    for name, array in seen.network.arrays().items():
        np.testing.assert_array_equal(found.item_features.network.arrays()[name], array)
    past = ShopperHistory.of(
        np.array([3]), np.array([PURCHASE]), np.array([17_000.0]), np.array([0]), np.array([np.nan])
    )
    shopper = ShopperFeatures.of(past, asking.item_features)
    one, two = (
        feature_matrix(each.item_features, shopper, [3], 17_110.0, np.arange(20, 40)) for each in (asking, found)
    )
    np.testing.assert_array_equal(one, two)
    assert not np.isnan(one[..., FEATURE_NAMES.index("image_similarity")]).any()
    plain = load(tmp_path / "plain", store(model, tmp_path / "plain"))
    assert plain.item_features.network is None
    assert plain.item_features.image_vectors.size == 0
    assert (plain.image_vectors == IMAGES).all()


def test_a_shop_without_items_or_rankers_has_a_model_too(model, tmp_path):
    bare = replace(
        model,
        external_ids=IdIndex.of([]),
        needs=AISLE,
        aisles=AISLE,
        rankers={},
        newest=0.0,
        until=0.0,
        image_vectors=IMAGES[:0],
    )
    found = load(tmp_path / "bare", store(bare, tmp_path / "bare"))
    assert found.rankers == {}
    assert found.external_ids.numbers(["a"]).tolist() == [-1]
    assert found.external_ids.numbers([]).tolist() == []


def test_large_arrays_are_mapped_and_cannot_be_written_to(stored):
    large = load(*stored).item_features.pairs.values
    assert not large.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        large[0] = 1


def test_a_changed_byte_in_any_file_is_refused(copy):
    folder, digest = copy
    paths = sorted(folder.glob("*.npy"))
    assert len(paths) > 30
    for path in paths:
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(DataError, match=f"{path.name} was changed since it was stored: train again"):
            load(folder, digest)
        path.write_bytes(whole)
    assert load(folder, digest)


@pytest.mark.parametrize(
    "change", [lambda text: text + b" ", lambda text: text.replace(b'"version": ', b'"version": 1')]
)
def test_a_changed_manifest_is_refused(copy, change):
    folder, digest = copy
    (folder / MANIFEST).write_bytes(change((folder / MANIFEST).read_bytes()))
    with pytest.raises(DataError, match="is not the one that was stored: train again"):
        load(folder, digest)


def test_a_wrong_digest_is_refused(copy):
    with pytest.raises(DataError, match="is not the one that was stored: train again"):
        load(copy[0], "0" * 64)


@pytest.mark.parametrize("name", [MANIFEST, "ids.npy", "item_features.pairs.values.npy", "ranker.for_you.roots.npy"])
def test_a_missing_file_is_refused(copy, name):
    folder, digest = copy
    (folder / name).unlink()
    with pytest.raises(DataError, match=r"cannot be read from .*: train again"):
        load(folder, digest)


def resigned(folder, change) -> str:
    """The digest of a manifest that somebody wrote to fit."""
    manifest = json.loads((folder / MANIFEST).read_text())
    change(manifest)
    text = json.dumps(manifest)
    (folder / MANIFEST).write_text(text)
    return sha256(text.encode()).hexdigest()


def test_another_version_is_refused(copy):
    digest = resigned(copy[0], lambda manifest: manifest.update(version=VERSION + 1))
    with pytest.raises(DataError, match="another version of this package: train again"):
        load(copy[0], digest)


def test_rankers_that_ask_for_other_signals_are_refused(copy):
    def renamed(manifest):
        for ranker in manifest["rankers"].values():
            ranker["feature_names"] = ranker["feature_names"][::-1]

    with pytest.raises(DataError, match="other features than this version"):
        load(copy[0], resigned(copy[0], renamed))


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.pop("files"),
        lambda manifest: manifest["files"].pop("ids.npy"),
        lambda manifest: manifest.update(interest_weights={"nonsense": 1}),
        lambda manifest: manifest.update(rankers=[]) or manifest.update(item_features=3),
    ],
)
def test_a_manifest_that_lacks_something_is_refused_in_words(copy, change):
    with pytest.raises(DataError, match="train again"):
        load(copy[0], resigned(copy[0], change))


def test_a_pickle_is_never_opened(copy):
    folder, _ = copy
    np.save(folder / "ids.npy", np.array([print], object), allow_pickle=True)
    hashed = sha256((folder / "ids.npy").read_bytes()).hexdigest()
    digest = resigned(folder, lambda manifest: manifest["files"].update({"ids.npy": hashed}))
    with pytest.raises(DataError, match="allow_pickle=False"):
        load(folder, digest)


def test_a_folder_is_never_written_twice(model, stored):
    with pytest.raises(FileExistsError):
        store(model, stored[0])


def test_a_moment_is_told_on_the_historys_own_clock(model):
    """An old data set stays as fresh as its last event, and ages from the training on."""
    assert model.day(1.5e9) == 17_100.5
    assert model.day(1.5e9 + 86_400) == 17_101.5
    assert model.day(1.4e9) == 17_100.5
    assert model.day(np.array([0.0, 1.5e9 + 43_200])).tolist() == [17_100.5, 17_101.0]
