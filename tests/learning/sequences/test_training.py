from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecomrec_django.errors import DataError, TrainingError
from ecomrec_django.learning.interactions import DAY, KINDS, IdMap, Interactions
from ecomrec_django.learning.sequences import training as module
from ecomrec_django.learning.sequences.batches import Batches, ItemContent, Sequences, histories
from ecomrec_django.learning.sequences.gru import GAPS, MAX_EVENTS, time_gaps
from ecomrec_django.learning.sequences.metrics import hit_rate_and_mrr
from ecomrec_django.learning.sequences.settings import GRUSettings
from ecomrec_django.learning.sequences.training import STATE, train

ITEMS = 40
QUICK = GRUSettings(units=16, rate=0.2, size=256, input_dropout=0.0, dropout=0.1, negatives=0, epochs=6, hidden=0.0)
# A chance rank among all items gives about this: the mean of 1/place over the first 20 of 40.
CHANCE = (1 / np.arange(1, 21)).sum() / ITEMS


def sequences(rows, kinds=None):
    """Of item numbers, shape (sequences, events); the last row is the newest."""
    count, width = rows.shape
    time = np.arange(count)[:, None] * DAY + np.arange(width) * 30.0
    kinds = np.zeros_like(rows) if kinds is None else kinds
    return Sequences.of(np.repeat(np.arange(count), width), rows.ravel(), kinds.ravel(), time.ravel())


def circle(rng, count, width=6):
    """Steps of one, each time in a direction that the first step tells."""
    return (rng.integers(0, ITEMS, (count, 1)) + rng.choice([-1, 1], (count, 1)) * np.arange(width)) % ITEMS


@pytest.fixture(scope="module")
def learned():
    return train(sequences(circle(np.random.default_rng(0), 600)), ItemContent.nothing(ITEMS + 1), QUICK)


def test_a_planted_order_is_predicted_and_a_shuffled_one_is_not(learned):
    rng = np.random.default_rng(1)
    # The first step is a toss of a coin: half of 1/1 and half of 1/2; all others are certain.
    assert hit_rate_and_mrr(learned.network, sequences(circle(rng, 200)))[1] > 0.85
    noise = train(sequences(rng.integers(0, ITEMS, (600, 6))), ItemContent.nothing(ITEMS), QUICK)
    assert noise.quality[:, 1].max() < CHANCE * 1.5


def test_an_earlier_event_decides_where_the_latest_alone_cannot(learned):
    up = learned.network.scores(learned.network.state(np.array([4, 5]), np.zeros(2, int), np.array([0, 2])))
    down = learned.network.scores(learned.network.state(np.array([6, 5]), np.zeros(2, int), np.array([0, 2])))
    assert (up.argmax(), down.argmax()) == (6, 4)


def test_an_item_of_which_nothing_is_known_comes_last(learned):
    assert (
        learned.network.scores(learned.network.state(np.array([4]), np.zeros(1, int), np.zeros(1, int))).argmin()
        == ITEMS
    )


def test_numpy_gives_what_keras_gives(learned):
    import keras

    network = learned.network
    gru = keras.layers.GRU(network.units, return_sequences=True)
    gru.build((None, None, network.units))
    gru.set_weights([network.kernel, network.recurrent, network.bias])
    rng = np.random.default_rng(2)
    items, kinds, numbers = (rng.integers(0, end, (8, 20)) for end in (ITEMS, len(KINDS), GAPS))
    read = network.items[items, :-1] + network.kinds[kinds] + network.gaps[numbers]
    np.testing.assert_allclose(network.states(items, kinds, numbers), gru(read).numpy(), atol=1e-5)


def test_drawn_negatives_estimate_the_sum_over_all_items():
    rng = np.random.default_rng(3)
    rows = np.minimum(rng.geometric(0.1, (300, 5)), ITEMS) - 1
    batches = Batches(sequences(rows), ItemContent.nothing(ITEMS), GRUSettings(size=64, negatives=10, hidden=0.0))
    scores = rng.normal(size=ITEMS)
    estimates = []
    for step in range(2_000):
        columns, weight = batches.columns(np.array([ITEMS - 1]), np.random.default_rng(step))
        estimates.append(np.exp(scores[columns] + weight).sum())
    assert np.mean(estimates) == pytest.approx(np.exp(scores[batches.occurring]).sum(), rel=0.03)


def test_the_kind_of_an_event_tells_what_comes_next():
    rng = np.random.default_rng(4)
    rows = rng.integers(0, ITEMS, (1_500, 2))
    kinds = rng.integers(0, 2, (1_500, 2))
    rows[:, 1] = np.where(kinds[:, 0] == 1, 1, 0)
    known = train(
        sequences(rows, kinds), ItemContent.nothing(ITEMS), replace(QUICK, held_out=0.0, negatives=10)
    ).network
    for kind in (0, 1):
        assert known.scores(known.state(np.array([7]), np.array([kind]), np.array([0]))).argmax() == kind


@pytest.mark.parametrize("by", ["category", "content"])
def test_an_item_without_a_history_is_scored_by_what_is_known_of_it(by):
    # Of ten aisles of five items, shoppers go from one aisle to the next; one item of each aisle is new.
    rng = np.random.default_rng(5)
    aisle = np.arange(50) // 5
    walk = (rng.integers(0, 10, (800, 1)) + np.arange(6)) % 10
    rows = walk * 5 + rng.integers(0, 4, (800, 6))
    about = ItemContent.nothing(50)
    if by == "category":
        about = replace(about, category=aisle)
    else:
        about = replace(about, vectors=(np.eye(10)[aisle] + 0.05 * rng.normal(size=(50, 10))).astype(np.float32))
    known = train(sequences(rows), about, replace(QUICK, hidden=0.3, held_out=0.0, negatives=20)).network
    new = np.arange(10) * 5 + 4
    best = [
        new[known.scores(known.state(np.array([one * 5]), np.zeros(1, int), np.zeros(1, int)), new).argmax()]
        for one in range(10)
    ]
    assert (np.array(best) // 5 == (np.arange(10) + 1) % 10).mean() > 0.8


def test_a_training_that_was_cut_off_goes_on_to_the_same_network(tmp_path, monkeypatch):
    known, nothing = sequences(circle(np.random.default_rng(0), 60)), ItemContent.nothing(ITEMS)
    settings = replace(QUICK, epochs=2, size=128, negatives=10)
    calls = []
    whole = train(known, nothing, settings, None, lambda *steps: calls.append(steps))
    assert calls[-1][0] == calls[-1][1]
    monkeypatch.setattr(module, "SAVE_SECONDS", 0.0)
    again = []

    def cut_off(done, total):
        again.append((done, total))
        # Within an epoch, once of the trial and once after it.
        if len(again) in {2, 10}:
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train(known, nothing, settings, tmp_path, cut_off)
    ended = train(known, nothing, settings, tmp_path, cut_off)
    # Only the two steps that were cut off before their state was kept are done again.
    assert list(dict.fromkeys(again)) == list(dict.fromkeys(calls))
    assert len(again) == len(calls) + 2
    np.testing.assert_array_equal(ended.quality, whole.quality)
    for name, array in ended.network.arrays().items():
        np.testing.assert_allclose(array, whole.network.arrays()[name], atol=1e-5)


def test_a_state_of_other_inputs_is_not_gone_on_from(tmp_path):
    known, nothing = sequences(circle(np.random.default_rng(0), 50)), ItemContent.nothing(ITEMS)
    settings = replace(QUICK, epochs=1, held_out=0.0)
    calls = []
    for seed in (0, 1, 1):
        train(known, nothing, replace(settings, seed=seed), tmp_path, lambda done, total: calls.append(done))
    # The third call finds that all is done.
    assert calls == [1, 1, 1, 1, 1]
    assert [path.name for path in tmp_path.iterdir()] == [STATE]


def test_a_broken_state_is_said_and_training_begins_anew(tmp_path, caplog):
    known, nothing = sequences(circle(np.random.default_rng(0), 50)), ItemContent.nothing(ITEMS)
    settings = replace(QUICK, epochs=1, held_out=0.0)
    train(known, nothing, settings, tmp_path)
    whole = (tmp_path / STATE).read_bytes()
    (tmp_path / STATE).write_bytes(whole[: len(whole) // 2])
    calls = []
    train(known, nothing, settings, tmp_path, lambda done, total: calls.append(done))
    assert "Training starts over" in caplog.text
    # A step, and the end.
    assert calls == [1, 1]


def test_too_few_histories_are_refused_with_what_is_missing():
    with pytest.raises(TrainingError, match=r"12 of them follow another .*in 6 histories .*At least 100 are needed"):
        train(sequences(circle(np.random.default_rng(0), 6, width=3)), ItemContent.nothing(ITEMS), QUICK)
    with pytest.raises(TrainingError, match=r"0 of them follow .*in 0 histories"):
        train(sequences(np.zeros((500, 1), int)), ItemContent.nothing(ITEMS), QUICK)


def test_items_out_of_range_are_refused():
    with pytest.raises(DataError, match="below 3"):
        train(sequences(circle(np.random.default_rng(0), 60)), ItemContent.nothing(3), QUICK)


@pytest.mark.parametrize(
    ("category", "content", "message"),
    [
        ([0, -2], np.zeros((2, 3), np.float32), "from 0, or -1"),
        ([0, 1], np.zeros((3, 3), np.float32), "of shape"),
        ([0, 1], np.zeros((2, 3)), "float32"),
        ([0, 1], np.full((2, 3), np.nan, np.float32), "not finite"),
    ],
)
def test_invalid_item_content_is_rejected(category, content, message):
    with pytest.raises(DataError, match=message):
        ItemContent(np.array(category), content)


def test_sequences_are_sorted_by_their_end_without_single_events():
    group = np.array([5, 5, 2, 9, 2, -1, -1])
    time = np.array([50.0, 10, 20, 30, 40, 60, 70])
    known = Sequences.of(group, np.arange(7), np.zeros(7, int), time)
    assert known.item.tolist() == [2, 4, 1, 0]
    assert known.starts.tolist() == [0, 2, 4]
    assert known.gap.tolist() == [*time_gaps(np.array([20.0, 40])), *time_gaps(np.array([10.0, 50]))]
    assert known.steps == 2
    assert known.part(1, 2).item.tolist() == [1, 0]


def test_long_histories_are_split_with_their_pauses():
    events = 2 * MAX_EVENTS + 1
    known = Sequences.of(np.zeros(events, int), np.arange(events), np.zeros(events, int), np.arange(events) * 3_600.0)
    assert np.diff(known.starts).tolist() == [MAX_EVENTS, MAX_EVENTS]
    assert known.gap[0] == 0
    assert known.gap[MAX_EVENTS] == time_gaps(np.array([0.0, 3_600]))[1]


def test_a_guests_history_is_a_session():
    columns = {name: np.full(6, np.nan) for name in ("price", "rating")}
    events = Interactions(
        visitors=IdMap(np.array([70])),
        items=IdMap(np.arange(6)),
        visitor=np.array([0, -1, 0, -1, -1, -1]),
        item=np.arange(6),
        kind=np.zeros(6, np.int8),
        value=np.ones(6),
        time=np.arange(6),
        basket=np.full(6, -1),
        session=np.array([3, 4, 5, 4, 6, -1]),
        **columns,
    )
    known = histories(events)
    assert [known.part(at, at + 1).item.tolist() for at in range(len(known))] == [[0, 2], [1, 3]]
