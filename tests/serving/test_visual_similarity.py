from __future__ import annotations

import numpy as np
import pytest

from ecomrec_django.models import Item, ItemPicture
from ecomrec_django.pipeline.dataset import items_table
from ecomrec_django.pipeline.image_vectors import load_image_vectors
from ecomrec_django.serving.model_cache import cached_model
from ecomrec_django.serving.visual_similarity import visually_similar
from ecomrec_django.tasks import run_sync, run_training
from example_shop.models import Product
from tests.support.camping_shop import stock_the_shop
from tests.support.image_vectors import paint

RED, PINK, BLUE = (1, 0, 0), (1, 0.5, 0), (0, 0, 1)


@pytest.fixture
def painted(db):
    """A published release that was trained when some items had been looked at."""
    stock_the_shop()
    run_sync()
    paint({"tent": RED, "mug": PINK, "lamp": BLUE, "mat": RED})
    release = run_training(publish=True).release
    assert cached_model(release.pk, release.digest, wait=True) is not None


def names(item: str, k: int = 10) -> dict[str, float]:
    found = visually_similar(Item.objects.get(external_id=item).pk, k)
    known = dict(Item.objects.values_list("pk", "external_id"))
    return {known[pk]: cosine for pk, cosine in found}


@pytest.mark.usefixtures("painted")
def test_similar_looking_items_are_found_best_first():
    found = names("tent")
    assert list(found) == ["mat", "mug"]
    assert found["mat"] == pytest.approx(1, abs=1e-3)
    assert found["mug"] == pytest.approx(1 / 1.25**0.5, abs=1e-3)
    assert list(names("tent", 1)) == ["mat"]


@pytest.mark.once
@pytest.mark.usefixtures("painted")
def test_unique_and_unanalysed_images_have_no_similar_ones():
    assert names("lamp") == {}
    assert names("pegs") == {}
    assert visually_similar(10**9, 5) == []


@pytest.mark.once
@pytest.mark.usefixtures("painted")
def test_inactive_items_are_not_shown():
    Product.objects.filter(sku="mat").delete()
    run_sync()
    release = run_training(publish=True).release
    cached_model(release.pk, release.digest, wait=True)
    assert list(names("tent")) == ["mug"]


def test_without_image_vectors_nothing_is_similar(trained_shop):
    assert names("tent") == {}


@pytest.mark.django_db
def test_a_shop_without_a_release_shows_nothing():
    assert visually_similar(1, 5) == []


@pytest.mark.once
@pytest.mark.usefixtures("painted")
def test_vectors_follow_the_items_and_default_to_zero():
    items = items_table()
    looks, network = load_image_vectors(items)
    place = {name: at for at, name in enumerate(items["external_id"].to_pylist())}
    assert network == "planted"
    assert looks[place["tent"]] == pytest.approx([1, 0, 0])
    assert looks[place["lamp"]] == pytest.approx([0, 0, 1])
    assert not looks[place["pegs"]].any()
    some = items_table(Item.objects.filter(external_id__in=["lamp", "pegs"]))
    assert load_image_vectors(some)[0].any(axis=1).sum() == 1
    ItemPicture.objects.all().delete()
    assert load_image_vectors(items) == (None, "")


@pytest.mark.once
@pytest.mark.usefixtures("painted")
def test_vectors_of_two_networks_are_not_compared():
    ItemPicture.objects.filter(item__external_id__in=["mug"]).update(network="newer")
    items = items_table()
    looks, network = load_image_vectors(items)
    assert network == "planted"
    names = items["external_id"].to_pylist()
    assert {names[at] for at in np.flatnonzero(looks.any(axis=1))} == {"tent", "lamp", "mat"}
