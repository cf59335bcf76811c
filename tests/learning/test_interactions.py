from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecomrec_django.errors import DataError
from ecomrec_django.learning.interactions import KINDS, IdMap, Interactions
from tests.support.histories import history

ITEMS = IdMap.of(np.array([30, 10, 20, 10]))


def interactions(events):
    return Interactions.of(history(events), ITEMS)


def test_ids_are_numbered_in_their_order_and_unknown_ones_are_minus_one():
    assert ITEMS.ids.tolist() == [10, 20, 30]
    assert ITEMS.numbers(np.array([[20, 5], [30, 99]])).tolist() == [[1, -1], [2, -1]]
    assert IdMap.of(np.array([])).numbers(np.array([7])).tolist() == [-1]


def test_ids_out_of_order_are_refused():
    with pytest.raises(DataError, match=r"IdMap\.of"):
        IdMap(np.array([2, 1]))


def test_a_history_becomes_numbers_in_the_order_of_time():
    found = interactions(
        [
            {"item": 20, "visitor": 7, "basket": "b"},
            {"item": 10, "visitor": 5, "kind": "view_item", "session": "s", "quantity": 2},
            {"item": 99, "visitor": 6},
            {"item": 30, "visitor": 0, "kind": "add_to_cart"},
        ]
    )
    assert found.visitors.ids.tolist() == [5, 7]
    assert (found.visitor.tolist(), found.item.tolist()) == ([1, 0, -1], [1, 0, 2])
    assert [KINDS[kind] for kind in found.kind] == ["purchase", "view_item", "add_to_cart"]
    assert (found.value.tolist(), found.basket.tolist(), found.session.tolist()) == (
        [1, 2, 1],
        [0, -1, -1],
        [-1, 0, -1],
    )
    assert (np.diff(found.time) > 0).all()


def test_two_visitors_never_share_a_basket():
    found = interactions([{"item": 10, "visitor": visitor, "basket": "same"} for visitor in (1, 2, 1)])
    assert found.basket.tolist() == [0, 1, 0]


def test_kinds_can_be_picked():
    found = interactions([{"item": 10, "kind": kind} for kind in KINDS])
    assert [KINDS[kind] for kind in found.of_kind("refund", "purchase").kind] == ["purchase", "refund"]


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("item", np.array([0, 3]), "below 3"),
        ("visitor", np.array([0.0, 0.0]), "must be int64"),
        ("value", np.array([1.0]), "shape"),
        ("value", np.array([1.0, np.nan]), "value"),
        ("kind", np.array([0, 99], np.int8), "below 8"),
        ("time", np.array([2, 1]), "sorted by time"),
    ],
)
def test_arrays_that_are_not_as_promised_are_refused(name, values, said):
    whole = interactions([{"item": 10}, {"item": 20}])
    with pytest.raises(DataError, match=said):
        replace(whole, **{name: values})
