"""From pictures in the shop's storage to vectors, suggestions and offers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from scipy.sparse import csr_matrix

from ecomrec_django.conf import conf
from ecomrec_django.errors import TrainingError
from ecomrec_django.learning import artifact, images
from ecomrec_django.learning.neighbours import Rows
from ecomrec_django.models import Item, ItemPicture, Publication, TrainingRun
from ecomrec_django.pipeline import pictures
from ecomrec_django.pipeline.learned import folder_of
from ecomrec_django.pipeline.lock import only_one
from ecomrec_django.pipeline.looks import STORED
from ecomrec_django.pipeline.pictures import learn_pictures
from ecomrec_django.serving.offers import offers
from ecomrec_django.tasks import pictures_task, run_pictures, run_sync, run_training
from example_shop.models import Category, Product
from tests.drawn import COLOURS, SHAPES, DrawnShop, draw, file_of
from tests.looks import buy_together
from tests.threads import raised_in_a_thread

pytestmark = pytest.mark.django_db
MANY = 60


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """A small network that is trained for seconds."""
    quick = partial(images.Settings, epochs=1, steps=150, batch=32, widths=(16, 32), rate=1e-2)
    monkeypatch.setattr(images, "Settings", quick)


@pytest.fixture
def drawn_shop():
    return DrawnShop(MANY)


def vectors() -> dict[str, np.ndarray]:
    rows = ItemPicture.objects.filter(vector__isnull=False).values_list("item__external_id", "vector")
    return {name: np.frombuffer(bytes(vector), STORED).astype(np.float32) for name, vector in rows}


def test_each_picture_gets_a_vector_and_new_ones_alone_are_looked_at_later(drawn_shop):
    run_sync()
    run = learn_pictures()
    assert (run.kind, run.status) == ("pictures", "done")
    assert run.message == f"{MANY} pictures were looked at."
    found = vectors()
    assert len(found) == MANY
    assert [float((vector**2).sum()) for vector in found.values()] == pytest.approx([1] * MANY, abs=0.01)

    assert learn_pictures().message == "No picture is new."

    drawn_shop.add(MANY, "disc", 0, category=drawn_shop.shelves["disc"])
    changed = Product.objects.get(sku="p1")
    changed.image.save("other.png", ContentFile(file_of(draw("disc", COLOURS[2], drawn_shop.rng, 64))))
    run_sync()
    again = learn_pictures()
    assert again.message == "2 pictures were looked at."
    assert again.metrics["network"] == run.metrics["network"]
    later = vectors()
    assert (later["p0"] == found["p0"]).all()
    assert (later["p1"] != found["p1"]).any()

    Product.objects.filter(sku="p0").delete()
    Product.objects.filter(sku="p2").update(image="")
    run_sync()
    learn_pictures()
    assert {"p0", "p2"} & set(vectors()) == set()


def test_a_network_is_trained_again_once_the_catalog_has_changed(drawn_shop):
    run_sync()
    first = learn_pictures().metrics["network"]
    for number in range(MANY, MANY + 20):
        shape = SHAPES[number % 4]
        drawn_shop.add(number, shape, number % 3, category=drawn_shop.shelves[shape])
    run_sync()
    run = learn_pictures()
    assert run.metrics["network"] != first
    assert run.message == f"{MANY + 20} pictures were looked at."
    assert [path.name for path in (conf.ARTIFACTS / "pictures").iterdir()] == [run.metrics["network"]]
    assert set(ItemPicture.objects.values_list("network", flat=True)) == {run.metrics["network"]}


def test_a_product_of_only_a_picture_a_price_and_a_title_gets_offers_and_is_offered(drawn_shop, rf):
    buy_together("p0", "p1", "p2")
    release = run_training(publish=True).release
    run_pictures()
    drawn_shop.add(MANY, "disc", 0, brand="")
    run_pictures()
    new = ItemPicture.objects.get(item__external_id=f"p{MANY}")
    disc = Item.objects.get(external_id="p0").category
    assert new.suggested["category"][0] == disc.pk
    assert new.suggested["brand"][0] == "maker 0"
    assert new.suggested["category"][1] >= pictures.SURE
    assert new.category == disc
    assert f"p{MANY}" in [offer.item for offer in offers(rf.get("/"), "bought_with", ["p1"], 10).offers]
    assert {offer.item for offer in offers(rf.get("/"), "bought_with", [f"p{MANY}"], 10).offers} >= {"p1", "p2"}
    # Nothing was trained anew for it.
    assert type(release).objects.latest("pk") == release


def test_what_cannot_be_read_is_counted_by_reason_and_tried_again(drawn_shop, caplog):
    broken = Product.objects.get(sku="p3")
    broken.image.save("broken.png", ContentFile(b"no picture at all"))
    missing = Product.objects.get(sku="p4")
    missing.image.storage.delete(missing.image.name)
    run_sync()
    run = learn_pictures()
    assert f"{MANY - 2} pictures were looked at. 2 could not be used" in run.message
    assert sorted(run.metrics["problems"].values()) == [1, 1]
    row = ItemPicture.objects.get(item__external_id="p3")
    assert row.vector is None
    assert "not a picture" in row.problem
    assert "p3" in caplog.text
    missing.image.storage.save(missing.image.name, ContentFile(file_of(draw("disc", COLOURS[0], drawn_shop.rng, 64))))
    again = learn_pictures()
    assert "1 picture was looked at. 1 could not be used" in again.message


def test_a_network_that_was_changed_is_not_used(drawn_shop, caplog):
    run_sync()
    first = learn_pictures().metrics["network"]
    (weights,) = (conf.ARTIFACTS / "pictures" / first).glob("*.npz")
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    again = learn_pictures()
    assert "was changed since it was stored" in caplog.text
    assert again.message == f"{MANY} pictures were looked at."


class Killed(BaseException):
    pass


def test_a_run_that_was_killed_goes_on_where_it_was(drawn_shop, monkeypatch):
    run_sync()
    percents: list[int] = []

    def kill(stage: str, percent: int) -> None:
        percents.append(percent)
        if percent > 45:
            raise Killed

    with pytest.raises(Killed):
        learn_pictures(kill)
    assert TrainingRun.objects.get().status == "failed"
    assert ItemPicture.objects.count() == 0
    fitted: list[int] = []
    run = learn_pictures(lambda stage, percent: fitted.append(percent))
    assert run.message == f"{MANY} pictures were looked at."
    # All pictures are read again; the network is trained from the last round on.
    assert not [percent for percent in fitted if 16 <= percent < 25]


@pytest.mark.parametrize(
    ("many", "said"), [(0, "No product of the catalog has a picture."), (3, "Nothing can be learned from 3 pictures")]
)
def test_a_shop_of_few_pictures_is_told_so(many, said):
    shop, shelf = DrawnShop(0), Category.objects.create(name="A", slug="a")
    for number in range(many):
        shop.add(number, "disc", 0, category=shelf)
    run_sync()
    run = learn_pictures()
    assert run.status == "done"
    assert said in run.message
    assert ItemPicture.objects.count() == 0


def test_what_was_looked_at_together_is_learned_from_where_it_is_enough(small_shop, monkeypatch):
    pks = dict(Item.objects.values_list("external_id", "pk"))
    items = [pks["tent"], pks["mug"], 10**9, pks["tent-light"], pks["pegs"]]
    assert pictures._looked_at_together(items) is None
    release = Publication.objects.get().release
    model = artifact.load(folder_of(release.pk), release.digest)
    numbers = {name: int(model.ids.numbers(np.array([pk]))[0]) for name, pk in pks.items()}
    one = [numbers[name] for name in ("tent", "tent-light", "tent", "lamp")]
    other = [numbers[name] for name in ("tent-light", "tent", "mug", "mug")]
    seen = Rows.of(csr_matrix((np.ones(4), (one, other)), (len(pks), len(pks))))
    known = replace(model, facts=replace(model.facts, co_seen=seen))
    monkeypatch.setattr(artifact, "load", lambda folder, digest: known)
    assert pictures._looked_at_together(items).tolist() == [[0, 1], [0, 3]]
    monkeypatch.setattr(pictures, "PAIRED", 0.7)
    assert pictures._looked_at_together(items) is None


def test_where_the_model_is_wrong_nothing_is_known_of_what_was_looked_at_together(small_shop, caplog):
    release = Publication.objects.get().release
    (folder_of(release.pk) / artifact.MANIFEST).write_text("{}")
    assert pictures._looked_at_together([1, 2]) is None
    assert "not the one that was stored" in caplog.text


def test_only_one_run_looks_at_pictures_and_a_training_of_offers_is_not_in_its_way():
    with only_one("pictures"):
        refused = raised_in_a_thread(learn_pictures)
        assert isinstance(refused, TrainingError)
        assert "Another training is running" in str(refused)
        assert run_training().status == "done"
    with only_one():
        assert learn_pictures().status == "done"


def test_the_command_and_the_task_say_what_was_done_or_why_not(capsys, monkeypatch):
    call_command("ecomrec_pictures")
    assert "No product of the catalog has a picture." in capsys.readouterr().out
    assert "No product" in pictures_task()["message"]

    def refuse(progress):
        raise TrainingError("Another training is running")

    monkeypatch.setattr("ecomrec_django.tasks.learn_pictures", refuse)
    with pytest.raises(CommandError, match="Another training is running"):
        call_command("ecomrec_pictures")
