"""The benchmark of offers in bulk, on a shop small enough for a test."""

from time import time

import pytest

from benchmarks import _personal_shop, batch
from ecomrec_django.artifacts import release_folder
from ecomrec_django.learning.interactions import DAY
from ecomrec_django.serving.model_cache import MODELS
from ecomrec_django.testing import override_ecomrec

ITEMS, VISITORS, ROWS = 1_500, 40, 20


# Elsewhere, statistics for the database's planner end the test's transaction.
@pytest.mark.once
@pytest.mark.django_db
def test_known_shoppers_and_nobody_get_all_offers_they_may(tmp_path, monkeypatch):
    monkeypatch.setattr(_personal_shop, "TREES", 5)
    MODELS.reset()
    with override_ecomrec(ARTIFACTS=tmp_path / "artifacts"):
        shop = _personal_shop.Shop.of(ITEMS, time() - _personal_shop.AGE * DAY)
        _personal_shop.fill(shop, VISITORS, release_folder)
        rows = {row["name"]: row for row in batch.figures(tmp_path, ITEMS, VISITORS, ROWS)}
    MODELS.reset()
    assert list(rows) == [f"ecomrec:{name}" for name in ("for_you, known", "bought_with, known", "bought_with, nobody")]
    for row in rows.values():
        assert row["rows"] == ROWS
        assert row["offers"] == 4 * ROWS
