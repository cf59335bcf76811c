"""The growing shop of the benchmark, small enough for a test."""

import pytest

from benchmarks import _growing_shop
from ecomrec_django.models import Event, Item, Visitor
from ecomrec_django.tasks import run_training


@pytest.mark.once
@pytest.mark.django_db
def test_a_growing_shop_can_be_trained(monkeypatch):
    monkeypatch.setattr(_growing_shop, "AT_ONCE", 50)
    _growing_shop.fill(shoppers=120, items=200)
    assert (Item.objects.count(), Visitor.objects.count(), Event.objects.count()) == (200, 120, 1_440)
    assert Event.objects.values("basket").distinct().count() == 480
    run = run_training(publish=True)
    assert run.metrics["events"] == 1_440
    assert run.release.metrics["bought_with"]["lists"] > 0
