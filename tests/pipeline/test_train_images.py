"""From pictures in the shop's storage to vectors, suggestions and offers."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.models import F
from django.test import override_settings
from scipy.sparse import csr_matrix

from ecomrec_django.artifacts import release_folder
from ecomrec_django.conf import conf
from ecomrec_django.errors import TrainingError
from ecomrec_django.learning.images import model as image_model
from ecomrec_django.learning.images import training as image_training
from ecomrec_django.learning.images.training import ImageSettings
from ecomrec_django.learning.ranking import model as ranking_model
from ecomrec_django.learning.sparse import SparseRows
from ecomrec_django.locks import exclusive
from ecomrec_django.models import Item, ItemPicture, Publication, Release, TrainingRun
from ecomrec_django.pipeline import train_images as image_pipeline
from ecomrec_django.pipeline.image_vectors import STORED
from ecomrec_django.pipeline.train_images import train_images
from ecomrec_django.serving.offer_store import invalidate
from ecomrec_django.serving.offers import offers
from ecomrec_django.tasks import pictures_task, run_pictures, run_sync, run_training
from ecomrec_django.testing import override_ecomrec
from example_shop.models import Category, Product
from tests.support.image_vectors import buy_together
from tests.support.images import COLOURS, SHAPES, DrawnShop, draw, file_of
from tests.support.rows import store_rows, stored_rows
from tests.support.threads import raised_in_a_thread

pytestmark = pytest.mark.django_db
MANY = 60
SMALL = {"epochs": 1, "batch": 32, "widths": (16, 32), "rate": 1e-2}


@pytest.fixture(scope="module", autouse=True)
def _quick():
    """A small network that is trained for seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_model, "ImageSettings", partial(ImageSettings, steps=50, **SMALL))
        yield


@pytest.fixture
def hasty(monkeypatch):
    """Trainings that end before they have learned anything."""
    monkeypatch.setattr(image_model, "ImageSettings", partial(ImageSettings, steps=30, **SMALL))
    monkeypatch.setattr(image_training, "_ROUND", 10)


@pytest.fixture(scope="module")
def seen_release(_quick, django_db_setup, django_db_blocker, tmp_path_factory):
    """Folder, rows and run of a shop with a release, all of whose pictures a network has seen."""
    folder = tmp_path_factory.mktemp("pictures")
    own = override_settings(MEDIA_ROOT=folder / "media")
    with django_db_blocker.unblock(), transaction.atomic(), own, override_ecomrec(ARTIFACTS=folder / "artifacts"):
        DrawnShop(MANY)
        # A block shows one product of a title.
        Product.objects.update(title=F("sku"))
        buy_together("p0", "p1", "p2")
        run_training(publish=True)
        run = run_pictures()
        rows = stored_rows()
        transaction.set_rollback(True)
    return folder, rows, run


@pytest.fixture
def seen_shop(seen_release, settings, db):
    """A published shop, all of whose pictures a network has seen."""
    folder, rows, run = seen_release
    shutil.copytree(folder / "media", settings.MEDIA_ROOT)
    shutil.copytree(folder / "artifacts", conf.ARTIFACTS)
    store_rows(rows)
    invalidate()
    shop = DrawnShop(0, seed=2)
    shop.run = run
    return shop


def vectors() -> dict[str, np.ndarray]:
    rows = ItemPicture.objects.filter(vector__isnull=False).values_list("item__external_id", "vector")
    return {name: np.frombuffer(bytes(vector), STORED).astype(np.float32) for name, vector in rows}


def test_later_runs_embed_only_new_images(seen_shop):
    run = seen_shop.run
    assert (run.kind, run.status) == ("pictures", "done")
    assert run.message == f"{MANY} images analysed."
    found = vectors()
    assert len(found) == MANY
    assert [float((vector**2).sum()) for vector in found.values()] == pytest.approx([1] * MANY, abs=0.01)

    assert train_images().message == "No new images."

    seen_shop.add(MANY, "disc", 0)
    changed = Product.objects.get(sku="p1")
    changed.image.save("other.png", ContentFile(file_of(draw("disc", COLOURS[2], seen_shop.rng, 64))))
    run_sync()
    again = train_images()
    assert again.message == "2 images analysed."
    assert again.metrics["network"] == run.metrics["network"]
    later = vectors()
    assert (later["p0"] == found["p0"]).all()
    assert (later["p1"] != found["p1"]).any()

    Product.objects.filter(sku="p0").delete()
    Product.objects.filter(sku="p2").update(image="")
    run_sync()
    train_images()
    assert {"p0", "p2"} & set(vectors()) == set()


@pytest.mark.once
def test_a_network_is_trained_again_once_the_catalog_has_changed(seen_shop, hasty):
    for number in range(MANY, MANY + 20):
        seen_shop.add(number, SHAPES[number % 4], number % 3)
    run_sync()
    run = train_images()
    assert run.metrics["network"] != seen_shop.run.metrics["network"]
    assert run.message == f"{MANY + 20} images analysed."
    assert [path.name for path in (conf.ARTIFACTS / "pictures").iterdir()] == [run.metrics["network"]]
    assert set(ItemPicture.objects.values_list("network", flat=True)) == {run.metrics["network"]}


def test_a_product_with_only_an_image_gets_offers(seen_shop, rf):
    release = Release.objects.get()
    seen_shop.add(MANY, "disc", 0, brand="", category=None, title=f"p{MANY}")
    run_pictures()
    new = ItemPicture.objects.get(item__external_id=f"p{MANY}")
    disc = Item.objects.get(external_id="p0").category
    assert new.suggestions["category"][0] == disc.pk
    assert new.suggestions["brand"][0] == "maker 0"
    assert new.suggestions["category"][1] >= image_pipeline.SURE
    assert new.category == disc
    assert f"p{MANY}" in [offer.item for offer in offers(rf.get("/"), "bought_with", ["p1"], 10).offers]
    assert {offer.item for offer in offers(rf.get("/"), "bought_with", [f"p{MANY}"], 10).offers} >= {"p1", "p2"}
    # Nothing was trained anew for it.
    assert Release.objects.get() == release


@pytest.mark.once
def test_unreadable_images_are_counted_and_retried(seen_shop, caplog):
    ItemPicture.objects.all().delete()
    broken = Product.objects.get(sku="p3")
    broken.image.save("broken.png", ContentFile(b"no picture at all"))
    missing = Product.objects.get(sku="p4")
    missing.image.storage.delete(missing.image.name)
    run_sync()
    run = train_images()
    assert f"{MANY - 2} images analysed. 2 could not be used" in run.message
    assert sorted(run.metrics["problems"].values()) == [1, 1]
    row = ItemPicture.objects.get(item__external_id="p3")
    assert row.vector is None
    assert "not an image" in row.problem
    assert "p3" in caplog.text
    missing.image.storage.save(missing.image.name, ContentFile(file_of(draw("disc", COLOURS[0], seen_shop.rng, 64))))
    again = train_images()
    assert "1 image analysed. 1 could not be used" in again.message


@pytest.mark.once
def test_a_network_that_was_changed_is_not_used(seen_shop, hasty, caplog):
    (weights,) = (conf.ARTIFACTS / "pictures").glob("*/*.npz")
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    again = train_images()
    assert "was changed since it was stored" in caplog.text
    assert again.message == f"{MANY} images analysed."


class Killed(BaseException):
    pass


@pytest.mark.once
def test_a_run_that_was_killed_goes_on_where_it_was(hasty):
    DrawnShop(MANY)
    run_sync()

    def kill(stage: str, percent: int) -> None:
        if percent >= 45:
            raise Killed

    with pytest.raises(Killed):
        train_images(kill)
    assert TrainingRun.objects.get().status == "failed"
    assert ItemPicture.objects.count() == 0
    fitted: list[int] = []
    run = train_images(lambda stage, percent: fitted.append(percent))
    assert run.message == f"{MANY} images analysed."
    # All pictures are read again; the network is trained from the last round on.
    assert not [percent for percent in fitted if 16 <= percent < 45]


@pytest.mark.parametrize(
    ("count", "message"),
    [(0, "No product in the catalog has an image."), (3, "Not enough images to train on: there are 3")],
)
def test_few_images_are_reported(count, message):
    shop, shelf = DrawnShop(0), Category.objects.create(name="A", slug="a")
    for number in range(count):
        shop.add(number, "disc", 0, category=shelf)
    run_sync()
    run = train_images()
    assert run.status == "done"
    assert message in run.message
    assert ItemPicture.objects.count() == 0


def test_pairs_viewed_together_are_used_if_there_are_enough(trained_shop, monkeypatch):
    pks = dict(Item.objects.values_list("external_id", "pk"))
    items = [pks["tent"], pks["mug"], 10**9, pks["tent-light"], pks["pegs"]]
    assert image_pipeline._viewed_together(items) is None
    release = Publication.objects.get().release
    model = ranking_model.load(release_folder(release.pk), release.digest)
    numbers = {name: int(model.ids.numbers(np.array([pk]))[0]) for name, pk in pks.items()}
    one = [numbers[name] for name in ("tent", "tent-light", "tent", "lamp")]
    other = [numbers[name] for name in ("tent-light", "tent", "mug", "mug")]
    seen = SparseRows.of(csr_matrix((np.ones(4), (one, other)), (len(pks), len(pks))))
    known = replace(model, item_features=replace(model.item_features, co_viewed=seen))
    monkeypatch.setattr(ranking_model, "load", lambda folder, digest: known)
    assert image_pipeline._viewed_together(items).tolist() == [[0, 1], [0, 3]]
    monkeypatch.setattr(image_pipeline, "MIN_PAIRED", 0.7)
    assert image_pipeline._viewed_together(items) is None


def test_an_unreadable_model_gives_no_pairs(trained_shop, caplog):
    release = Publication.objects.get().release
    (release_folder(release.pk) / ranking_model.MANIFEST).write_text("{}")
    assert image_pipeline._viewed_together([1, 2]) is None
    assert "not the one that was stored" in caplog.text


def test_only_one_image_run_at_a_time_beside_trainings():
    with exclusive("pictures"):
        refused = raised_in_a_thread(train_images)
        assert isinstance(refused, TrainingError)
        assert "Another training is running" in str(refused)
        assert run_training().status == "done"
    with exclusive():
        assert train_images().status == "done"


def test_the_command_and_the_task_say_what_was_done_or_why_not(capsys, monkeypatch):
    call_command("ecomrec_pictures")
    assert "No product in the catalog has an image." in capsys.readouterr().out
    assert "No product" in pictures_task()["message"]

    def refuse(progress):
        raise TrainingError("Another training is running")

    monkeypatch.setattr("ecomrec_django.tasks.train_images", refuse)
    with pytest.raises(CommandError, match="Another training is running"):
        call_command("ecomrec_pictures")
