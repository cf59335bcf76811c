"""The model in its folder: the same rankings come out, and nothing that was changed is read."""

import json
import shutil
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from ecomrec_django.errors import DataError
from ecomrec_django.learning.artifact import MANIFEST, VERSION, Model, Names, load, store
from ecomrec_django.learning.fusion import fit, ranked, sample
from ecomrec_django.learning.interactions import IdMap
from ecomrec_django.learning.past import PURCHASE, Past
from ecomrec_django.learning.shoppers import Shopper
from ecomrec_django.learning.signals import NAMES as SIGNALS
from ecomrec_django.learning.signals import signals
from tests.learning.shops import AISLE, ITEMS, seeing, shop

NAMES = [f"sku-{number}-ä" for number in range(ITEMS)]
LOOKS = np.random.default_rng(0).normal(size=(ITEMS, 4)).astype(np.float16)


@pytest.fixture(scope="module")
def planted():
    return shop()


@pytest.fixture(scope="module")
def model(planted):
    ranker = fit([sample(planted.slice(), most=400)])
    ids = IdMap(np.arange(ITEMS) * 7 + 2**33)
    return Model(ids, Names.of(NAMES), AISLE + 1, AISLE + 1, planted.facts, {"for_you": ranker}, 17_100.5, 1.5e9, LOOKS)


@pytest.fixture(scope="module")
def stored(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("releases") / "1"
    return folder, store(model, folder)


@pytest.fixture
def copy(stored, tmp_path):
    return shutil.copytree(stored[0], tmp_path / "copy"), stored[1]


def test_what_is_read_ranks_as_what_was_stored(planted, model, stored):
    other = load(*stored)
    for place in range(20):
        for anchors in ((), (place,), (place, 30)):
            one, two = (
                ranked(each.rankers["for_you"], each.facts, planted.shoppers[place], anchors, 17_110.0, 0.05)
                for each in (model, other)
            )
            assert one.items.tolist() == two.items.tolist()
            assert one.chances.tolist() == two.chances.tolist()
            assert np.array_equal(one.matrix, two.matrix, equal_nan=True)
    assert len(one.items) > 10


def test_all_else_is_read_as_it_was_stored(model, stored):
    other = load(*stored)
    assert (other.ids.ids == model.ids.ids).all()
    assert (other.needs == model.needs).all()
    assert (other.aisles == model.aisles).all()
    assert (other.looks == LOOKS).all()
    assert (other.newest, other.until, other.facts.weights) == (model.newest, model.until, model.facts.weights)
    assert (other.rankers["for_you"].skill, other.rankers["for_you"].names) == (
        model.rankers["for_you"].skill,
        model.rankers["for_you"].names,
    )
    assert other.names.texts(np.arange(ITEMS)) == NAMES
    assert other.names.numbers([NAMES[3], "gone", NAMES[59]]).tolist() == [3, -1, 59]


def test_what_networks_tell_is_read_where_it_is_asked_for(planted, model, tmp_path):
    seen = seeing(planted.facts)
    asking = replace(model, facts=replace(seen, looks=LOOKS))
    found = load(tmp_path / "asking", store(asking, tmp_path / "asking"))
    assert (found.facts.looks == LOOKS).all()
    for name, array in seen.network.arrays().items():
        np.testing.assert_array_equal(found.facts.network.arrays()[name], array)
    past = Past.of(np.array([3]), np.array([PURCHASE]), np.array([17_000.0]), np.array([0]), np.array([np.nan]))
    shopper = Shopper.of(past, asking.facts)
    one, two = (signals(each.facts, shopper, [3], 17_110.0, np.arange(20, 40)) for each in (asking, found))
    np.testing.assert_array_equal(one, two)
    assert not np.isnan(one[..., SIGNALS.index("looks")]).any()
    plain = load(tmp_path / "plain", store(model, tmp_path / "plain"))
    assert plain.facts.network is None
    assert plain.facts.looks.size == 0
    assert (plain.looks == LOOKS).all()


def test_a_shop_without_items_or_rankers_has_a_model_too(model, tmp_path):
    bare = Model(model.ids, Names.of([]), AISLE, AISLE, model.facts, {}, 0.0, 0.0, LOOKS[:0])
    found = load(tmp_path / "bare", store(bare, tmp_path / "bare"))
    assert found.rankers == {}
    assert found.names.numbers(["a"]).tolist() == [-1]
    assert found.names.numbers([]).tolist() == []


def test_large_arrays_are_mapped_and_cannot_be_written_to(stored):
    large = load(*stored).facts.pairs.values
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


@pytest.mark.parametrize("name", [MANIFEST, "ids.npy", "facts.pairs.values.npy", "ranker.for_you.roots.npy"])
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
            ranker["names"] = ranker["names"][::-1]

    with pytest.raises(DataError, match="other signals than this version"):
        load(copy[0], resigned(copy[0], renamed))


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.pop("files"),
        lambda manifest: manifest["files"].pop("ids.npy"),
        lambda manifest: manifest.update(weights={"nonsense": 1}),
        lambda manifest: manifest.update(rankers=[]) or manifest.update(facts=3),
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
