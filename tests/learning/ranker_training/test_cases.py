"""The cases that a ranker is fitted on."""

from __future__ import annotations

from tests.support.aisle_shop import AISLE, NOW


def test_targets_are_the_baskets_items_of_other_aisles(planted):
    cases = planted.cases
    assert all(
        (AISLE[wanted] != AISLE[anchor]).all() for anchor, wanted in zip(cases.anchor, cases.targets, strict=True)
    )
    assert min(map(len, cases.targets)) > 0
    assert cases.day.min() >= NOW
