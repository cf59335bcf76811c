"""Trainings of networks that are killed half-way, in processes of their own."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tests.support.processes import ROOT, ShopProcess, own_database, wait_for

ROUTES = "from tests.support.route_shop import RouteShop; RouteShop(customers=80)"
DRAWN = """
from tests.support.images import DrawnShop
from tests.support.image_vectors import buy_together
from django.db.models import F
from example_shop.models import Product
DrawnShop(60)
# A block shows one product of a title.
Product.objects.update(title=F("sku"))
buy_together("p0", "p1", "p2", "p3", "p4")
"""
RUNS = """
from ecomrec_django.models import TrainingRun
print(*TrainingRun.objects.order_by("pk").values_list("kind", "status"))
"""
SHOWN = """
from ecomrec_django.models import Publication
from ecomrec_django.serving.offers import offers
print(Publication.objects.get().release_id, len(offers(None, "for_you").offers))
"""


@pytest.fixture
def killed_shop(tmp_path):
    with own_database(tmp_path) as url:
        shop = ShopProcess(tmp_path, url)
        shop.environment["DJANGO_SETTINGS_MODULE"] = "tests.faults.small_networks"
        shop.environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
        shop.manage("migrate", "--verbosity", "0")
        yield shop


def kill_after_a_round(shop: ShopProcess, command: str, kind: str) -> None:
    """Kill -9, once the state of the training was kept."""
    log = shop.folder / "killed.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "manage.py", command], cwd=ROOT, env=shop.environment, stdout=out, stderr=out
        )
    try:
        wait_for(lambda: unfinished(shop, kind) or process.poll() is not None, log)
    finally:
        process.kill()
    assert process.wait() == -9, log.read_text()


def unfinished(shop: ShopProcess, kind: str) -> list[str]:
    return [path.name for path in (shop.folder / "ecomrec" / kind / "unfinished").glob("*.npz")]


@pytest.mark.once
@pytest.mark.parametrize(
    ("setup", "command", "kind"),
    [
        (ROUTES, "ecomrec_sequences", "sequences"),
        (DRAWN, "ecomrec_pictures", "pictures"),
    ],
    ids=["sequences", "pictures"],
)
def test_a_resumed_training_makes_the_same_network(killed_shop, setup, command, kind):
    shop = killed_shop
    shop.ask(setup)
    shop.manage("ecomrec_sync")
    shop.manage("ecomrec_train", "--publish")
    before = shop.ask(SHOWN)
    assert before.split() == ["1", "4"]
    kill_after_a_round(shop, command, kind)
    assert shop.ask(SHOWN) == before
    said = shop.manage(command)
    assert not unfinished(shop, kind)
    first = stored(shop, kind)
    assert f"('{kind}', 'failed') ('{kind}', 'done')" in shop.ask(RUNS)
    for folder in (shop.folder / "ecomrec" / kind).iterdir():
        folder.rename(shop.folder / f"{kind}-first")
    shop.ask("from ecomrec_django.models import ItemPicture; ItemPicture.objects.all().delete()")
    assert shop.manage(command) == said
    again = stored(shop, kind)
    assert first.keys() == again.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name], name)


def stored(shop: ShopProcess, kind: str) -> dict[str, np.ndarray]:
    (folder,) = (shop.folder / "ecomrec" / kind).iterdir()
    return {f"{path.name}:{name}": array for path in folder.glob("*.npz") for name, array in np.load(path).items()}
