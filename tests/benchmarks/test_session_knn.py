from __future__ import annotations

import numpy as np
import pytest

from benchmarks._session_knn import FEW, Decay, SessionNeighbours, with_neighbours
from ecomrec_django.errors import DataError
from ecomrec_django.learning.interactions import DAY

ALL = Decay(place=2.0, age=5.0, distance=3.0, latest=2.0, before=0.75, rarity=1.0, neighbours=100)


def model(sessions, items, decay, ended=None):
    """Of lists of item numbers; session k ends on day k, or on those of ``ended``."""
    session = np.repeat(np.arange(len(sessions)), [len(one) for one in sessions])
    days = np.arange(len(sessions)) if ended is None else np.array(ended)
    seconds = np.concatenate([days[at] * DAY + np.arange(len(one)) - len(one) for at, one in enumerate(sessions)])
    return SessionNeighbours.of(session, np.concatenate(sessions), seconds, items, decay)


def hit_rate(known, sessions, at=1):
    """The share of sessions whose last item stands among the first ``at`` named after those before it."""
    found = [np.isin(one[-1], known.next(np.array(one[:-1]), 1e3)[0][:at]).item() for one in sessions]
    return np.mean(found)


def chains(rng, count, shuffled=False):
    """Sessions of four steps on a circle of 40 items; shuffled: of items in any order."""
    start = rng.integers(0, 40, count)
    sessions = [((one + np.arange(4)) % 40) for one in start]
    return [rng.integers(0, 40, 4) for _ in sessions] if shuffled else sessions


def test_the_planted_next_step_is_predicted_and_none_in_shuffled_sessions():
    rng = np.random.default_rng(0)
    known = model(chains(rng, 400), 40, Decay(place=1.0, distance=1.0, latest=1.0, before=0.0, age=5.0))
    # The present session's own three items may come first.
    assert hit_rate(known, chains(rng, 100), at=4) == 1.0
    noise = model(chains(rng, 400, shuffled=True), 40, ALL)
    assert hit_rate(noise, chains(rng, 200, shuffled=True), at=4) < 0.25


def test_the_scores_are_those_of_the_formula():
    # Sessions 0 and 1 hold item 0; it is one step back in the present session 0, 3.
    known = model([[0, 1], [2, 0, 1, 1], [3, 4]], 5, ALL)
    items, scores = known.next(np.array([0, 3]), 4.0)
    rarity = np.log1p(np.array([3 / 2, 3 / 2, 3, 3, 3]))
    first, second = (
        np.exp(-1 / 2) * rarity[0] / np.sqrt(size * 2) * np.exp(-age / 5) * np.exp(-1 / 2)
        for size, age in ((2, 4), (4, 3))
    )
    third = rarity[3] / np.sqrt(2 * 2) * np.exp(-2 / 5)
    step = np.exp(-1 / 3)
    expected = {
        0: first + second,
        1: first * step + second * (step + step**2),
        2: second * step * 0.75,
        3: third,
        4: third * step,
    }
    named = dict(zip(items.tolist(), scores.tolist(), strict=True))
    assert named == {item: pytest.approx(value, rel=1e-2) for item, value in expected.items()}
    assert items.tolist() == sorted(expected, key=lambda item: -expected[item])


def test_newer_sessions_say_more_and_only_the_newest_are_looked_at():
    assert model([[0, 1], [0, 2]], 3, ALL, ended=[0, 9]).next(np.array([0]), 10.0)[0].tolist() == [0, 2, 1]
    one = Decay(sample=1, neighbours=1)
    assert set(model([[0, 2], [0, 1]], 3, one, ended=[9, 0]).next(np.array([0]), 10.0)[0].tolist()) == {0, 2}


def test_short_predictions_are_completed_by_successors():
    # No session with item 0 holds item 2, but one with item 1 does.
    items, scores = model([[0, 1], [1, 2]], 3, ALL).next(np.array([0]), 2.0)
    assert items.tolist() == [0, 1, 2]
    assert (np.diff(scores) < 0).all()
    assert len(items) < FEW


def test_an_item_nobody_clicked_names_nothing():
    assert model([[0, 1]], 3, ALL).next(np.array([2]), 1.0)[0].tolist() == []


def test_equal_scores_are_ordered_by_number():
    assert model([[0, 2], [0, 1]], 3, Decay(), ended=[1, 1]).next(np.array([0]), 1.0)[0].tolist() == [0, 1, 2]


def test_items_out_of_range_are_refused():
    with pytest.raises(DataError, match="below 1"):
        model([[0, 1]], 1, ALL)


def test_neighbours_raise_their_items_and_keep_the_other_order():
    logits = np.array([0.0, 2.0, 1.0, -1.0])
    both = with_neighbours(logits, np.array([3, 0]), np.array([3.0, 1.0]))
    assert both == pytest.approx(logits + np.log(np.array([0.25, 0.0, 0.0, 0.75]) + 1e-4))
    assert np.argsort(-both).tolist() == [3, 0, 1, 2]
    none_named = with_neighbours(logits, np.empty(0, np.int64), np.empty(0))
    assert np.argsort(-none_named).tolist() == np.argsort(-logits).tolist()
