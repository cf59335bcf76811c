from __future__ import annotations

import numpy as np
import pytest

from ecomrec_django.errors import DataError
from ecomrec_django.learning.interactions import KINDS
from ecomrec_django.learning.sequences.gru import (
    GAPS,
    MAX_EVENTS,
    GRUModel,
    last_of_runs,
    time_gaps,
)


def network(items=7, units=4, seed=0):
    rng = np.random.default_rng(seed)
    shapes = {
        "items": (items + 1, units + 1),
        "kinds": (len(KINDS), units),
        "gaps": (GAPS, units),
        "kernel": (units, 3 * units),
        "recurrent": (units, 3 * units),
        "bias": (2, 3 * units),
    }
    return GRUModel(**{name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()})


def none(events):
    return np.zeros(events, np.int64)


def test_a_step_is_that_of_the_formula():
    known = network(units=1)
    read = known.items[3, 0] + known.kinds[1, 0] + known.gaps[2, 0]
    (update, reset, candidate), (update_bias, reset_bias, candidate_bias) = read * known.kernel[0], known.bias[0]
    gate = 1 / (1 + np.exp(-(update + update_bias + known.bias[1, 0])))
    let_through = 1 / (1 + np.exp(-(reset + reset_bias + known.bias[1, 1])))
    expected = (1 - gate) * np.tanh(candidate + candidate_bias + let_through * known.bias[1, 2])
    assert known.state(np.array([3]), np.array([1]), np.array([2])) == pytest.approx([expected], rel=1e-5)


def test_many_histories_side_by_side_give_what_each_gives_alone():
    known, rng = network(), np.random.default_rng(1)
    items, kinds, numbers = (
        rng.integers(0, 7, (3, 5)),
        rng.integers(0, len(KINDS), (3, 5)),
        rng.integers(0, GAPS, (3, 5)),
    )
    together = known.states(items, kinds, numbers)
    assert together.shape == (3, 5, 4)
    for row in range(3):
        np.testing.assert_allclose(together[row], known.states(items[row], kinds[row], numbers[row]), rtol=1e-5)


def test_the_order_of_events_counts():
    known = network()
    assert not np.allclose(
        known.state(np.array([0, 1]), none(2), none(2)), known.state(np.array([1, 0]), none(2), none(2))
    )


def test_an_item_outside_of_the_catalog_is_the_unknown_one():
    known = network()
    unknown = known.state(np.array([7]), none(1), none(1))
    for item in (-1, 8, 10**9):
        assert (known.state(np.array([item]), none(1), none(1)) == unknown).all()


def test_an_unknown_shopper_gets_the_bias_of_items():
    known = network()
    state = known.visitor(none(0), none(0), np.empty(0))
    np.testing.assert_array_equal(known.scores(state), known.items[:-1, -1])


def test_scores_of_some_items_are_those_among_all():
    known = network()
    state = known.state(np.array([2]), none(1), none(1))
    assert known.scores(state).shape == (7,)
    np.testing.assert_allclose(known.scores(state, np.array([5, 0])), known.scores(state)[[5, 0]], rtol=1e-5)


def test_the_latest_events_include_the_pause_before_them():
    known, rng = network(), np.random.default_rng(2)
    items, time = np.cumsum(rng.integers(1, 6, MAX_EVENTS + 9)) % 7, np.sort(rng.random(MAX_EVENTS + 9)) * 1e6
    latest = known.visitor(items, none(len(items)), time)
    np.testing.assert_array_equal(
        latest, known.state(items[-MAX_EVENTS:], none(MAX_EVENTS), np.r_[time_gaps(time[-MAX_EVENTS - 1 :])[1:]])
    )
    items[0] = (items[0] + 7 - 1) % 7
    assert (known.visitor(items, none(len(items)), time) == latest).all()


def test_consecutive_events_of_an_item_are_one_step():
    known = network()
    item, kind, time = np.array([3, 3, 3, 5, 3]), np.array([0, 1, 2, 0, 0]), np.array([0.0, 40.0, 90.0, 95.0, 99.0])
    assert last_of_runs(item).tolist() == [False, False, True, True, True]
    once = known.visitor(item[2:], kind[2:], time[2:])
    np.testing.assert_array_equal(known.visitor(item, kind, time), once)
    assert not last_of_runs(none(0)).size


def test_longer_pauses_have_greater_numbers_up_to_the_last():
    pauses = np.array([0, 2, 10, 50, 300, 3_600, 86_400, 7 * 86_400, 30 * 86_400, 900 * 86_400])
    numbers = time_gaps(np.r_[0, np.cumsum(pauses)])
    assert numbers[0] == 0
    assert (np.diff(numbers[1:]) >= 0).all()
    assert (numbers[1], numbers[-1], numbers[-2]) == (1, GAPS - 1, GAPS - 1)
    assert len(set(numbers[2:-1].tolist())) == len(numbers[2:-1])


def test_stored_arrays_give_the_network_back():
    known = network()
    again = GRUModel.stored(known.arrays())
    events = np.array([1, 5, 2]), none(3), none(3)
    np.testing.assert_array_equal(again.scores(again.state(*events)), known.scores(known.state(*events)))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("kernel", lambda array: array[:-1], "float32 of shape"),
        ("items", lambda array: array[:, :-1], "float32 of shape"),
        ("items", lambda array: array[:0], "float32 of shape"),
        ("items", lambda array: array[0], "float32 of shape"),
        ("recurrent", lambda array: array.ravel(), "float32 of shape"),
        ("bias", lambda array: array.astype(np.float64), "float32 of shape"),
        ("gaps", lambda array: array * np.nan, "not finite"),
    ],
)
def test_stored_garbage_is_refused(name, change, message):
    arrays = network().arrays()
    with pytest.raises(DataError, match=message):
        GRUModel.stored({**arrays, name: change(arrays[name])})


def test_a_lacking_array_is_named():
    arrays = network().arrays()
    del arrays["recurrent"]
    with pytest.raises(DataError, match="recurrent"):
        GRUModel.stored(arrays)
