from __future__ import annotations

import dataclasses
from datetime import timedelta

import numpy as np
import pytest

from ecomrec_django.strategies.base import Reason
from ecomrec_django.strategies.similar import Similar
from tests.support.histories import START, offers, training

CATALOG = [
    {"item": 1, "category": 7, "aisle": 3, "title": "trail tent two persons", "price": 100.0},
    {"item": 2, "category": 7, "aisle": 3, "title": "trail tent two persons light", "price": 60.0},
    {"item": 3, "category": 7, "aisle": 3, "title": "garden pavilion", "price": 130.0},
    {"item": 4, "category": 8, "aisle": 3, "title": "trail tent two persons", "price": 100.0},
    {"item": 5, "category": 7, "aisle": 3, "title": "trail tent two persons", "price": 100.0, "active": False},
]


def made(events=(), items=CATALOG, image_vectors=None):
    return Similar().make(dataclasses.replace(training(list(events), items), image_vectors=image_vectors)).by_item


def test_similar_descriptions_of_the_same_need_come_first():
    lists = made()
    assert offers(lists, 1)[0] == 2
    assert offers(lists, 2)[0] == 1
    assert not {4, 5} & set(lists.items.tolist())
    assert (lists.reasons == Reason.ALIKE).all()


def test_similar_images_outrank_slightly_similar_descriptions():
    looks = np.zeros((5, 3), np.float32)
    looks[[0, 2], 0] = 1
    looks[1, 1] = 1
    assert offers(made(image_vectors=looks), 3)[0] == 1
    items = [{**item, "title": "tent" if item["item"] != 3 else "pavilion"} for item in CATALOG]
    assert offers(made(items=items), 1)[0] == 2
    assert offers(made(items=items, image_vectors=looks), 1)[0] == 3


def test_a_picture_that_nobody_looked_at_changes_nothing():
    blind = np.zeros((5, 3), np.float32)
    one, other = made(), made(image_vectors=blind)
    assert one.items.tolist() == other.items.tolist()
    assert one.scores.tolist() == other.scores.tolist()


def test_items_viewed_together_are_alternatives():
    views = [
        {"visitor": visitor, "item": item, "kind": "view_item", "time": START + timedelta(days=day)}
        for visitor in range(1, 41)
        for item in (1, 3)
        for day in (0, 1)
    ]
    assert offers(made(views), 1)[0] == 3


@pytest.mark.parametrize("items", [[], CATALOG[:1], [{"item": 1}, {"item": 2}]])
def test_a_catalog_without_alternatives_gives_none(items):
    assert len(made(items=items).items) == 0
