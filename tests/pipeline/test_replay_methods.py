"""The baseline of the gate on a planted shop: bestsellers that keep the rules of the offers they are compared with."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from ecomrec_django.learning.ranking.item_features import ItemTable
from ecomrec_django.pipeline.replay_methods import K, ReplayMethods
from ecomrec_django.strategies.for_you import PER_NEED
from tests.support.aisle_shop import AISLE, ITEMS, shop


@pytest.fixture(scope="module")
def methods():
    table = ItemTable.plain(AISLE, AISLE, np.ones(ITEMS))
    return ReplayMethods(
        slice=shop().evaluation_slice(), table=table, ids=np.arange(ITEMS), items=pa.table({"category": AISLE})
    )


def without_anchor(methods):
    cases = methods.slice.cases
    return replace(methods, slice=replace(methods.slice, cases=replace(cases, anchor=np.full_like(cases.anchor, -1))))


def test_bestsellers_without_an_anchor_are_spread_over_needs(methods):
    first, *others = without_anchor(methods).popular()
    assert len(first) == K
    assert np.bincount(AISLE[first]).max() == PER_NEED
    baskets = methods.slice.item_features.baskets
    assert baskets[first[0]] == baskets.max()
    assert all((other == first).all() for other in others)


def test_bestsellers_beside_an_anchor_are_of_other_aisles(methods):
    for anchor, offers in zip(methods.slice.cases.anchor, methods.popular(), strict=True):
        assert len(offers) == K
        assert AISLE[anchor] not in AISLE[offers]


def test_what_may_not_be_offered_is_no_bestseller(methods):
    features = methods.slice.item_features
    best = int(np.argmax(features.baskets))
    hidden = replace(features, offered=np.arange(ITEMS) != best)
    offers = without_anchor(replace(methods, slice=replace(methods.slice, item_features=hidden))).popular()[0]
    assert best not in offers
