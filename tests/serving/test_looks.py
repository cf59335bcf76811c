from __future__ import annotations

import numpy as np
import pytest

from ecomrec_django.models import Item, ItemPicture
from ecomrec_django.pipeline.looks import looks_of
from ecomrec_django.pipeline.train import items_table
from ecomrec_django.serving.learned import model_of
from ecomrec_django.serving.looks import looking_like
from ecomrec_django.tasks import run_sync, run_training
from example_shop.models import Product
from tests.looks import paint
from tests.small_shop import stock_the_shop

RED, PINK, BLUE = (1, 0, 0), (1, 0.5, 0), (0, 0, 1)


@pytest.fixture
def painted(db):
    """A published release that was trained when some items had been looked at."""
    stock_the_shop()
    run_sync()
    paint({"tent": RED, "mug": PINK, "lamp": BLUE, "mat": RED})
    release = run_training(publish=True).release
    assert model_of(release.pk, release.digest, wait=True) is not None


def names(item: str, k: int = 10) -> dict[str, float]:
    found = looking_like(Item.objects.get(external_id=item).pk, k)
    known = dict(Item.objects.values_list("pk", "external_id"))
    return {known[pk]: cosine for pk, cosine in found}


@pytest.mark.usefixtures("painted")
def test_what_looks_like_an_item_is_found_best_first_and_never_itself():
    found = names("tent")
    assert list(found) == ["mat", "mug"]
    assert found["mat"] == pytest.approx(1, abs=1e-3)
    assert found["mug"] == pytest.approx(1 / 1.25**0.5, abs=1e-3)
    assert list(names("tent", 1)) == ["mat"]


@pytest.mark.usefixtures("painted")
def test_nothing_looks_like_what_is_unlike_all_or_was_not_looked_at():
    assert names("lamp") == {}
    assert names("pegs") == {}
    assert looking_like(10**9, 5) == []


@pytest.mark.usefixtures("painted")
def test_what_is_not_sold_any_more_is_not_shown():
    Product.objects.filter(sku="mat").delete()
    run_sync()
    release = run_training(publish=True).release
    model_of(release.pk, release.digest, wait=True)
    assert list(names("tent")) == ["mug"]


def test_a_release_without_pictures_and_a_shop_without_a_release_show_nothing(small_shop):
    assert names("tent") == {}


@pytest.mark.django_db
def test_a_shop_without_a_release_shows_nothing():
    assert looking_like(1, 5) == []


@pytest.mark.usefixtures("painted")
def test_vectors_are_read_in_the_order_of_the_items_and_zero_where_there_is_none():
    items = items_table()
    looks, network = looks_of(items)
    place = {name: at for at, name in enumerate(items["external_id"].to_pylist())}
    assert network == "planted"
    assert looks[place["tent"]] == pytest.approx([1, 0, 0])
    assert looks[place["lamp"]] == pytest.approx([0, 0, 1])
    assert not looks[place["pegs"]].any()
    some = items_table(Item.objects.filter(external_id__in=["lamp", "pegs"]))
    assert looks_of(some)[0].any(axis=1).sum() == 1
    ItemPicture.objects.all().delete()
    assert looks_of(items) == (None, "")


@pytest.mark.usefixtures("painted")
def test_vectors_of_two_networks_are_not_compared():
    ItemPicture.objects.filter(item__external_id__in=["mug"]).update(network="newer")
    items = items_table()
    looks, network = looks_of(items)
    assert network == "planted"
    names = items["external_id"].to_pylist()
    assert {names[at] for at in np.flatnonzero(looks.any(axis=1))} == {"tent", "lamp", "mat"}
