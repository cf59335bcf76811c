"""What the lists of a release would bring."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from ecomrec_django.learning.interactions import IdMap
from ecomrec_django.pipeline.expected_margin import PAGES, expected_margin
from ecomrec_django.strategies.base import EVIDENCE_WIDTH, Lists, Reason

NAN = float("nan")
ITEMS = pa.table({"item": [30, 10, 20], "price": [8.0, 5.0, 6.0], "cost": [NAN, 1.0, 4.0]})
# Item 10 was bought in 10 orders, lately in three of four; 20 in 5, and in the other one.
MODEL = SimpleNamespace(
    ids=IdMap(np.array([10, 20, 30])),
    item_features=SimpleNamespace(recent_baskets=np.array([3.0, 1.0, 0.0]), baskets=np.array([10.0, 5.0, 1.0])),
)


def lists(*offers):
    """(owner, item, reason, score, first evidence, second), sorted by owner."""
    owners, starts = np.unique([offer[0] for offer in offers], return_index=True)
    evidence = np.full((len(offers), EVIDENCE_WIDTH), NAN, np.float32)
    evidence[:, :2] = [offer[4:] for offer in offers]
    return Lists(
        owners=owners,
        starts=np.r_[starts, len(offers)],
        items=np.array([offer[1] for offer in offers]),
        scores=np.array([offer[3] for offer in offers], np.float32),
        reasons=np.array([offer[2] for offer in offers], np.int8),
        evidence=evidence,
    )


def test_offers_count_their_margin_times_their_share_of_orders():
    made = lists(
        (10, 20, Reason.TOGETHER, 1.0, 4, 4),  # 4 of 10 orders, 2.00 each
        (10, 30, Reason.AISLE, 0.9, 9, 0.25),  # a quarter, 8.00 each
        (20, 10, Reason.SIMILAR, 0.5, 0.9, 3),  # nothing is known of it
    )
    assert expected_margin(made, MODEL, ITEMS, 4) == pytest.approx(PAGES * 0.75 * (0.4 * 2 + 0.25 * 8))


def test_offers_past_the_block_bring_nothing():
    made = lists((10, 20, Reason.TOGETHER, 1.0, 4, 4), (10, 30, Reason.AISLE, 0.9, 9, 0.25))
    assert expected_margin(made, MODEL, ITEMS, 1) == pytest.approx(PAGES * 0.4 * 2)


def test_an_upgrade_brings_its_score():
    made = lists((10, 30, Reason.UPGRADE, 0.12, 1.6, 1.1))
    assert expected_margin(made, MODEL, ITEMS, 4) == pytest.approx(PAGES * 0.12)


def test_no_lists_and_unsold_items_have_no_margin():
    assert expected_margin(Lists.empty(), MODEL, ITEMS, 4) == 0
    assert expected_margin(lists((30, 10, Reason.TOGETHER, 1.0, 4, 4)), MODEL, ITEMS, 4) == 0
