import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.learning.interactions import ITEMS, schema
from ecomrec_django.pipeline.list_encoding import ItemNames, encode_lists
from ecomrec_django.strategies.base import EVIDENCE, EVIDENCE_WIDTH, Lists, Offer, Reason, decode_offers, encode_offers

NAMES = ["plain", 'quo"ted', "é\\n", "4"]
number = (
    st.floats(width=32, allow_nan=True, allow_infinity=True)
    | st.floats(0, 1000, width=32)
    | st.integers(0, 2**24).map(float)
)
offer = st.tuples(
    st.integers(0, 3),
    number,
    st.sampled_from(Reason),
    st.lists(number, min_size=EVIDENCE_WIDTH, max_size=EVIDENCE_WIDTH),
)


def names() -> ItemNames:
    blank = {name: [None] * 4 for name in ITEMS}
    return ItemNames.of(
        pa.table({**blank, "item": [30, 10, 20, 40], "external_id": NAMES, "aisle": [3, 1, 0, 4]}, schema=schema(ITEMS))
    )


@given(st.lists(st.lists(offer, max_size=4), max_size=5))
def test_lists_are_encoded_together_as_each_alone(planted):
    flat = [row for rows in planted for row in rows]
    lists = Lists(
        owners=np.arange(len(planted), dtype=np.int64),
        starts=np.cumsum([0, *map(len, planted)]),
        items=np.array([[30, 10, 20, 40][row[0]] for row in flat], np.int64),
        scores=np.array([row[1] for row in flat], np.float32),
        reasons=np.array([row[2] for row in flat], np.int8),
        evidence=np.array([row[3] for row in flat], np.float32).reshape(-1, EVIDENCE_WIDTH),
    )
    got = {
        owner: text for owners, texts in encode_lists(lists, names()) for owner, text in zip(owners, texts, strict=True)
    }
    assert set(got) == {owner for owner, rows in enumerate(planted) if rows}
    for owner, text in got.items():
        alone = [
            Offer(
                item=NAMES[item],
                score=score,
                reason=reason,
                aisle=[3, 1, 0, 4][item],
                evidence=tuple(evidence[: len(EVIDENCE[reason])]),
            )
            for item, score, reason, evidence in planted[owner]
        ]
        for mine, theirs in zip(decode_offers(text), decode_offers(encode_offers(alone)), strict=True):
            assert (mine.item, mine.reason, mine.aisle) == (theirs.item, theirs.reason, theirs.aisle)
            for one, other in zip((mine.score, *mine.evidence), (theirs.score, *theirs.evidence), strict=True):
                assert one is other is None or math.isclose(one, other, rel_tol=2e-3)


def test_an_offer_that_is_no_item_is_refused():
    lists = Lists(
        owners=np.array([1]),
        starts=np.array([0, 1]),
        items=np.array([99]),
        scores=np.ones(1, np.float32),
        reasons=np.zeros(1, np.int8),
        evidence=np.zeros((1, EVIDENCE_WIDTH), np.float32),
    )
    with pytest.raises(KeyError, match="not in the catalog"):
        list(encode_lists(lists, names()))
