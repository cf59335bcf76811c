from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ecomrec_django.strategies.base import Reason
from ecomrec_django.strategies.similar import Similar
from tests.learning.histories import offers, training

CATALOG = [
    {"item": 1, "category": 7, "aisle": 3, "title": "trail tent two persons", "price": 100.0},
    {"item": 2, "category": 7, "aisle": 3, "title": "trail tent two persons light", "price": 60.0},
    {"item": 3, "category": 7, "aisle": 3, "title": "garden pavilion", "price": 130.0},
    {"item": 4, "category": 8, "aisle": 3, "title": "trail tent two persons", "price": 100.0},
    {"item": 5, "category": 7, "aisle": 3, "title": "trail tent two persons", "price": 100.0, "active": False},
]


def made(events=(), items=CATALOG, looks=None):
    return Similar().make(dataclasses.replace(training(list(events), items), looks=looks)).by_item


def test_what_is_described_alike_comes_first_at_any_price_and_of_the_need_alone():
    lists = made()
    assert offers(lists, 1)[0] == 2
    assert offers(lists, 2)[0] == 1
    assert not {4, 5} & set(lists.items.tolist())
    assert (lists.reasons == Reason.ALIKE).all()


def test_what_looks_alike_comes_before_what_is_described_a_little_alike():
    looks = np.zeros((5, 3), np.float32)
    looks[[0, 2], 0] = 1
    looks[1, 1] = 1
    assert offers(made(looks=looks), 3)[0] == 1
    items = [{**item, "title": "tent" if item["item"] != 3 else "pavilion"} for item in CATALOG]
    assert offers(made(items=items), 1)[0] == 2
    assert offers(made(items=items, looks=looks), 1)[0] == 3


def test_a_picture_that_nobody_looked_at_changes_nothing():
    blind = np.zeros((5, 3), np.float32)
    one, other = made(), made(looks=blind)
    assert one.items.tolist() == other.items.tolist()
    assert one.scores.tolist() == other.scores.tolist()


def test_what_is_looked_at_beside_it_is_another_answer():
    views = [
        {"visitor": visitor, "item": item, "kind": "view_item", "session": f"s{visitor}"}
        for visitor in range(1, 41)
        for item in (1, 3)
    ]
    assert offers(made(views), 1)[0] == 3


@pytest.mark.parametrize("items", [[], CATALOG[:1], [{"item": 1}, {"item": 2}]])
def test_a_catalog_without_alternatives_gives_none(items):
    assert len(made(items=items).items) == 0
