"""Trainings of networks that are killed half-way, in processes of their own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.processes import ROOT, ShopProcess, own_database

KINDS = ("sequences", "pictures")
SHOP = """
import json
from io import StringIO
from django.core.management import call_command
from django.db.models import F
from ecomrec_django.artifacts import network_folder
from ecomrec_django.conf import conf
from ecomrec_django.models import ItemPicture, Publication, TrainingRun
from ecomrec_django.serving.offers import offers
from ecomrec_django.tasks import run_training
from example_shop.models import Product
from tests.support.image_vectors import buy_together
from tests.support.images import DrawnShop
from tests.support.route_shop import RouteShop

def tell(value):
    print(json.dumps(value), flush=True)

def shown():
    return [Publication.objects.get().release_id, len(offers(None, "for_you").offers)]

def trained(kind):
    said = StringIO()
    call_command(f"ecomrec_{kind}", stdout=said)
    return said.getvalue()
"""
FIRST = """
call_command("migrate", verbosity=0)
RouteShop(customers=80)
DrawnShop(60)
# A block shows one product of a title.
Product.objects.update(title=F("sku"))
buy_together("p0", "p1", "p2", "p3", "p4")
run_training(publish=True)
tell(shown())
trained("sequences")
"""
SECOND = """
tell(shown())
tell(trained("sequences"))
trained("pictures")
"""
THIRD = """
tell(shown())
tell(trained("pictures"))
tell(list(TrainingRun.objects.order_by("kind", "pk").values_list("kind", "status")))
(conf.ARTIFACTS / "resumed").mkdir()
for kind in ("sequences", "pictures"):
    network_folder(kind).rename(conf.ARTIFACTS / "resumed" / kind)
ItemPicture.objects.all().delete()
tell([trained("sequences"), trained("pictures")])
"""


@pytest.fixture
def killed_shop(tmp_path):
    with own_database(tmp_path) as url:
        shop = ShopProcess(tmp_path, url)
        shop.environment["DJANGO_SETTINGS_MODULE"] = "tests.faults.small_networks"
        shop.environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
        yield shop


def killed(shop: ShopProcess, code: str, kind: str) -> list:
    """What ``code`` tells before kill -9 in its last line, a training that has kept one state."""
    run = subprocess.run(
        [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", SHOP + code],
        cwd=ROOT,
        env={**shop.environment, "KILLED": kind},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert len(list((shop.folder / "ecomrec" / kind / "unfinished").glob("*.npz"))) == 1
    return told(run.stdout)


def told(output: str) -> list:
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.once
def test_resumed_trainings_make_the_same_networks(killed_shop):
    shop = killed_shop
    (published,) = killed(shop, FIRST, "sequences")
    assert published == [1, 4]
    before, *resumed = killed(shop, SECOND, "pictures")
    assert before == published
    before, said, runs, again = told(shop.ask(SHOP + THIRD))
    assert before == published
    assert again == [*resumed, said]
    assert runs == [
        *(["pictures", status] for status in ("failed", "done")),
        ["release", "done"],
        *(["sequences", status] for status in ("failed", "done")),
    ]
    for kind in KINDS:
        first, second = stored(shop.folder / "ecomrec" / "resumed" / kind), stored(shop.folder / "ecomrec" / kind)
        assert first.keys() == second.keys()
        for name, array in first.items():
            np.testing.assert_array_equal(array, second[name], name)


def stored(networks: Path) -> dict[str, np.ndarray]:
    """All arrays of the only network: no unfinished one lies beside it."""
    (folder,) = networks.iterdir()
    return {f"{path.name}:{name}": array for path in folder.glob("*.npz") for name, array in np.load(path).items()}
