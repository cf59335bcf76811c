from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ecomrec_django.errors import DataError, TrainingError
from ecomrec_django.learning.distributed import WorkerGroup
from ecomrec_django.learning.images import model as image_model
from ecomrec_django.learning.images import network
from ecomrec_django.learning.images.model import embed, load, predict, save, train
from ecomrec_django.learning.images.training import ImageSettings, ImageTrainer

SIZE = 24
SHAPES = 3
QUICK = ImageSettings(steps=60, epochs=1, batch=48, widths=(8, 16), average=0.9, rate=0.01)
# Shorter than it takes to learn anything.
SHORT = replace(QUICK, steps=15, batch=16)


@pytest.fixture(scope="module", autouse=True)
def _float32():
    """The same networks on every processor; bfloat16 takes longer for small ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "_cpu_flags", set)
        yield


def drawn(rng, count):
    """Shapes of any colour, place and size on noise: pictures, and their shape and colour numbers."""
    shapes, colours = rng.integers(0, SHAPES, count), rng.integers(0, 2, count)
    pictures = []
    for shape, colour in zip(shapes, colours, strict=True):
        picture = Image.fromarray(rng.integers(190, 256, (SIZE, SIZE, 3), np.uint8))
        draw = ImageDraw.Draw(picture)
        side = int(rng.integers(11, 17))
        x, y = rng.integers(1, SIZE - side - 1, 2).tolist()
        ink = (*rng.integers(0, 60, 2).tolist(), 160) if colour else (160, *rng.integers(0, 60, 2).tolist())
        if shape == 0:
            draw.ellipse((x, y, x + side, y + side), fill=ink)
        elif shape == 1:
            draw.line((x, y, x + side, y + side), fill=ink, width=3)
            draw.line((x, y + side, x + side, y), fill=ink, width=3)
        else:
            draw.rectangle((x, y, x + side, y + side), outline=ink, width=2)
        pictures.append(np.asarray(picture))
    return np.stack(pictures), {"shape": shapes, "colour": colours}


@pytest.fixture(scope="module")
def learned():
    pictures, targets = drawn(np.random.default_rng(0), 240)
    return train(pictures, targets, settings=QUICK)


@pytest.fixture(scope="module")
def unseen():
    return drawn(np.random.default_rng(1), 120)


def right(model, pictures, targets, name):
    return (predict(model, pictures)[name].argmax(axis=1) == targets[name]).mean()


def test_planted_shapes_and_colours_are_told_from_unseen_pictures(learned, unseen):
    assert right(learned, *unseen, "shape") > 0.8
    assert right(learned, *unseen, "colour") > 0.9
    chances = predict(learned, unseen[0])["shape"]
    assert chances.shape == (120, SHAPES)
    assert chances.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_neighbours_by_vector_share_the_shape(learned, unseen):
    pictures, targets = unseen
    vectors = embed(learned, pictures)
    assert (vectors.shape, vectors.dtype) == ((120, 128), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-4)
    alike = vectors @ vectors.T - 2 * np.eye(120)
    nearest = alike.argsort(axis=1)[:, -5:]
    assert (targets["shape"][nearest] == targets["shape"][:, None]).mean() > 0.75


def test_shuffled_labels_tell_nothing_of_unseen_pictures(unseen):
    rng = np.random.default_rng(2)
    pictures, targets = drawn(rng, 240)
    model = train(pictures, {"shape": rng.permutation(targets["shape"])}, settings=QUICK)
    assert right(model, *unseen, "shape") < 0.55


def test_unknown_targets_are_ignored(unseen):
    pictures, targets = drawn(np.random.default_rng(3), 240)
    partly = np.where(np.arange(240) % 3 == 0, targets["shape"], -1)
    model = train(pictures, {"shape": partly, "colour": targets["colour"]}, settings=QUICK)
    assert model.classes == {"shape": SHAPES, "colour": 2}
    # Were -1 read as a class, it would win for two thirds of the pictures.
    assert right(model, *unseen, "shape") > 0.6
    assert right(model, *unseen, "colour") > 0.9


def test_pairs_alone_bring_their_pictures_near_each_other(unseen):
    pictures, targets = drawn(np.random.default_rng(4), 240)
    by_colour = [np.flatnonzero(targets["colour"] == colour) for colour in range(2)]
    pairs = np.concatenate([np.stack([part[:-1], part[1:]], axis=1) for part in by_colour])
    model = train(pictures, {}, pairs, QUICK)
    assert model.classes == {}
    vectors = embed(model, unseen[0])
    nearest = (vectors @ vectors.T - 2 * np.eye(120)).argsort(axis=1)[:, -5:]
    assert (unseen[1]["colour"][nearest] == unseen[1]["colour"][:, None]).mean() > 0.9


def test_pictures_come_in_batches_too(learned, unseen):
    pictures, _ = unseen
    told = []
    in_batches = embed(learned, iter(np.split(pictures, [50, 51])), lambda *counts: told.append(counts))
    assert in_batches == pytest.approx(embed(learned, pictures), abs=1e-5)
    assert told == [(50, 50), (51, 51), (120, 120)]


def test_no_images_give_no_vectors(learned):
    assert embed(learned, np.empty((0, SIZE, SIZE, 3), np.uint8)).shape == (0, 128)
    assert predict(learned, iter([]))["shape"].shape == (0, SHAPES)


def test_a_stored_model_says_the_same_and_a_broken_one_is_refused(learned, unseen, tmp_path):
    save(learned, tmp_path)
    again = load(tmp_path)
    assert (again.size, again.classes, again.settings) == (SIZE, learned.classes, learned.settings)
    assert embed(again, unseen[0]) == pytest.approx(embed(learned, unseen[0]), abs=1e-6)
    file = next(tmp_path.iterdir())
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 255
    file.write_bytes(data)
    with pytest.raises(DataError, match="cannot be read"):
        load(tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        load(tmp_path / "nowhere")


class Killed(BaseException):
    pass


@pytest.fixture
def short_rounds(monkeypatch):
    """Rounds of 5 steps; the fixture's value gathers the numbers of those that are trained."""
    rounds = []
    work = ImageTrainer._round
    monkeypatch.setattr("ecomrec_django.learning.images.training._ROUND", 5)
    monkeypatch.setattr(ImageTrainer, "_round", lambda own, *given: rounds.append(given[0]) or work(own, *given))
    return rounds


@pytest.fixture(scope="module")
def pictured():
    return drawn(np.random.default_rng(5), 30)


def test_a_killed_training_resumes_with_the_same_result(tmp_path, short_rounds, pictured):
    pictures, targets = pictured
    whole = train(pictures, targets, settings=SHORT)

    def kill(done, total):
        assert total == 15
        if done == 10:
            raise Killed

    with pytest.raises(Killed):
        train(pictures, targets, settings=SHORT, checkpoint=tmp_path, progress=kill)
    short_rounds.clear()
    resumed = train(pictures, targets, settings=SHORT, checkpoint=tmp_path)
    assert short_rounds == [2]
    assert embed(resumed, pictures) == pytest.approx(embed(whole, pictures), abs=0.02)
    # Asked once more, nothing is left to do; with other pictures, all is.
    train(pictures, targets, settings=SHORT, checkpoint=tmp_path)
    assert short_rounds == [2]
    with pytest.raises(Killed):
        train(pictures[::-1], targets, settings=SHORT, checkpoint=tmp_path, progress=kill)
    assert short_rounds == [2, 0, 1, 2]


def test_a_broken_checkpoint_is_said_and_training_begins_anew(tmp_path, caplog, short_rounds, pictured):
    (tmp_path / image_model.CHECKPOINT).write_bytes(b"PK\x03\x04 no archive")
    with caplog.at_level(logging.WARNING):
        train(*pictured, settings=replace(SHORT, steps=5), checkpoint=tmp_path)
    assert short_rounds == [0]
    assert "starts over" in caplog.text


def test_the_same_seed_gives_the_same_vectors_and_another_one_others(short_rounds, pictured):
    pictures, targets = pictured
    first, second, other = (
        embed(train(pictures, targets, settings=replace(SHORT, steps=5, seed=seed)), pictures) for seed in (0, 0, 1)
    )
    assert first == pytest.approx(second, abs=0.02)
    assert np.abs(first - other).max() > 0.2


def test_too_few_pictures_are_refused_with_what_is_missing():
    pictures, _ = drawn(np.random.default_rng(8), 40)
    with pytest.raises(TrainingError, match=r"there are 3, .*Training needs at least 8"):
        train(pictures[:3], {"shape": np.array([0, 1, 2])})
    with pytest.raises(TrainingError, match="with 0 attributes of two or more values and no pairs"):
        train(pictures, {"shape": np.full(40, 2), "colour": np.full(40, -1)})
    with pytest.raises(TrainingError, match="there are 0"):
        train(pictures[:0], {})


def test_arrays_of_other_shapes_are_refused(learned):
    with pytest.raises(DataError, match=r"\(n, 24, 24, 3\)"):
        embed(learned, np.zeros((2, 28, 28, 3), np.uint8))
    pictures, targets = drawn(np.random.default_rng(9), 20)
    with pytest.raises(DataError, match="uint8"):
        train(pictures / 255, targets)
    with pytest.raises(DataError, match=r"\(n, size, size, 3\)"):
        train(pictures[..., 0], targets)
    with pytest.raises(DataError, match="colour has the shape"):
        train(pictures, {"colour": targets["colour"][:5]})
    with pytest.raises(DataError, match="from 0 to 19"):
        train(pictures, targets, np.array([[0, 20]]))


def test_training_stops_early_without_improvement(short_rounds):
    rng = np.random.default_rng(10)
    pictures, _ = drawn(rng, 120)
    noise = {"any": rng.integers(0, 2, 120)}
    model = train(pictures, noise, settings=replace(SHORT, steps=1_000, patience=0.02, held_out=0.5))
    assert len(short_rounds) == model.figures["rounds"] < 100


def test_a_missing_backbone_is_reported(tmp_path, caplog, monkeypatch, short_rounds):
    import keras

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    rng = np.random.default_rng(11)
    pictures = rng.integers(0, 256, (16, 32, 32, 3), np.uint8)
    targets = {"shape": np.arange(16) % 2}
    wanted = replace(QUICK, steps=1, backbone=image_model.Backbone("MobileNetV2"))
    with caplog.at_level(logging.WARNING):
        own = train(pictures, targets, settings=wanted)
    assert "MobileNetV2 cannot be loaded" in caplog.text
    assert own.settings.backbone is None
    body = keras.applications.MobileNetV2(include_top=False, input_shape=(32, 32, 3), weights=None)
    body.save_weights(tmp_path / "body.weights.h5")
    given = replace(wanted, backbone=image_model.Backbone("MobileNetV2", tmp_path / "body.weights.h5"))
    model = train(pictures, targets, settings=given)
    assert model.network.count_params() > 2_000_000
    save(model, tmp_path / "model")
    again = load(tmp_path / "model")
    for variable, stored in zip(model.network.variables, again.network.variables, strict=True):
        np.testing.assert_array_equal(variable, stored)
    assert np.linalg.norm(embed(again, pictures), axis=1) == pytest.approx(1, abs=1e-4)


def test_workers_share_each_step_among_them(monkeypatch):
    pictures, targets = drawn(np.random.default_rng(0), 240)

    def rows(count, own):
        workers = WorkerGroup(None, count, own)
        monkeypatch.setattr(WorkerGroup, "of_environment", classmethod(lambda cls: workers))
        training = ImageTrainer(pictures, {"shape": targets["shape"]}, {"shape": SHAPES}, None, QUICK)
        return [(rows.tolist(), draw) for _, _, rows, draw in training._draw(0)]

    for (whole, _), (one, draw), (other, another) in zip(rows(1, 0), rows(2, 0), rows(2, 1), strict=True):
        assert sorted([*one, *other]) == sorted(whole)
        assert draw != another


@pytest.fixture
def policy_with(monkeypatch):
    """The policy of a machine without a GPU whose processor has some abilities."""
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])

    def policy(*abilities):
        monkeypatch.setattr(network, "_cpu_flags", lambda: set(abilities))
        return network._policy()

    return policy


def test_bfloat16_is_used_if_the_processor_supports_it(policy_with):
    assert policy_with("avx2", "avx512_bf16") == policy_with("amx_bf16") == "mixed_bfloat16"
    assert policy_with("avx2", "avx512f") == policy_with() == "float32"


def test_bfloat16_and_float32_predict_nearly_the_same(policy_with, learned, unseen, tmp_path):
    save(learned, tmp_path)
    vectors = []
    for ability in ("none", "amx_bf16"):
        policy_with(ability)
        vectors.append(embed(load(tmp_path), unseen[0]))
    assert (vectors[0] * vectors[1]).sum(axis=1).min() > 0.995
    assert not np.array_equal(*vectors)
