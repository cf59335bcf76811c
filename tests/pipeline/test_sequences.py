"""A network that learns what comes next, and the release that uses it where it helps."""

import json
from datetime import timedelta

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from ecomrec_django.errors import MemoryLimitError, TrainingError
from ecomrec_django.models import Event, Item, TrainingRun, Visitor
from ecomrec_django.pipeline.lock import only_one
from ecomrec_django.pipeline.networks import ABOUT, folder_of_kind, keep, newest
from ecomrec_django.pipeline.sequences import KIND, PAST, learn_sequences, networks
from ecomrec_django.pipeline.train import train
from ecomrec_django.serving.learned import model_of
from ecomrec_django.serving.offers import offers
from ecomrec_django.tasks import sequences_task
from ecomrec_django.tracking.visitors import token_key
from tests.route_shop import START, RouteShop, token
from tests.serving.shoppers import asking
from tests.threads import raised_in_a_thread

pytestmark = pytest.mark.django_db
BOTH = "behaviour + sequences"


@pytest.fixture(autouse=True)
def _artifacts(settings, tmp_path):
    settings.ECOMREC = {**settings.ECOMREC, "ARTIFACTS": tmp_path}


def test_where_order_tells_a_release_uses_the_network_and_offers_the_next_step():
    shop = RouteShop()
    assert "ablation" not in train().metrics
    run = learn_sequences()
    assert (run.kind, run.status) == (TrainingRun.Kind.SEQUENCES, TrainingRun.Status.DONE)
    assert "named the next item among its first 20" in run.message
    assert len(run.metrics["quality"]) >= run.metrics["epochs"] > 1

    found = train(publish=True)
    for task in ("bought_with", "for_you"):
        table = found.metrics["ablation"][task]
        assert table["used"] == BOTH
        assert table[BOTH]["judges"] > 1.05 * table["behaviour"]["judges"]
    assert f"For “for_you” are used: {BOTH}." in found.message
    model = model_of(found.release.pk, found.release.digest, wait=True)
    assert model.facts.network is not None
    wanted = {customer: name for customer, name in enumerate(shop.following[:60]) if name}
    assert np.mean([name in first_of(customer) for customer, name in wanted.items()]) > 0.6

    # What is done now counts for the next page: somebody new takes two steps of a route.
    newcomer = Visitor.objects.create(key=token_key(token(9_999)))
    for step, name in enumerate(["route-5-1", "route-5-2"], start=1):
        Event.objects.create(
            kind="purchase",
            visitor=newcomer,
            item=Item.objects.get(external_id=name),
            time=found.finished + timedelta(minutes=step),
            basket=name,
        )
    assert "route-5-3" in first_of(9_999)

    # A network that knows what came after the moment of a replay has no say in it.
    folder, about = newest(KIND)
    assert about["moment"] > START.timestamp()
    files = {path.name: path.read_bytes() for path in folder.glob("*.npz")}

    def write(made):
        for name, data in files.items():
            (made / name).write_bytes(data)

    keep(KIND, write, {**about, "moment": about["moment"] + 30 * 86_400})
    assert networks().past is not None
    assert "ablation" not in train().metrics


def first_of(customer: int) -> set[str]:
    return {offer.item for offer in offers(asking(token(customer)), "for_you", limit=3).offers}


@pytest.mark.parametrize(
    ("events", "said"),
    [
        (0, "There are no orders or other events yet"),
        (1, "A recurrent network needs 100 events that follow another one"),
    ],
)
def test_a_shop_with_too_little_is_told_so_and_its_release_is_made(events, said):
    shop = RouteShop(customers=150, weeks=1)
    Event.objects.exclude(item__external_id__startswith="route").delete()
    if not events:
        Event.objects.all().delete()
    assert len(shop.following) == 150
    run = learn_sequences()
    assert run.status == TrainingRun.Status.DONE
    assert said in run.message
    assert networks() is None
    assert train(publish=True).release.complete


@pytest.mark.parametrize("harm", ["changed", "not its own"])
def test_a_network_that_is_not_as_it_was_stored_is_not_used(harm, caplog):
    def write(folder):
        (folder / "present.npz").write_bytes(b"no network")

    folder = keep(KIND, write, {"moment": 0})
    if harm == "changed":
        (folder / ABOUT).write_text(json.dumps({"moment": 1}))
    assert networks() is None
    said = {"changed": "was changed since it was stored", "not its own": "What comes next in histories is not known"}
    assert said[harm] in caplog.text


def test_of_networks_the_newest_alone_is_kept_and_half_a_one_never():
    def fail(folder):
        (folder / PAST).write_bytes(b"half")
        raise OSError

    first = keep(KIND, lambda folder: (folder / PAST).write_bytes(b"first"), {})
    with pytest.raises(OSError):
        keep(KIND, fail, {})
    assert newest(KIND)[0] == first
    second = keep(KIND, lambda folder: (folder / PAST).write_bytes(b"second"), {})
    assert newest(KIND)[0] == second
    assert [path.name for path in folder_of_kind(KIND).iterdir()] == [second.name]


def test_only_one_run_learns_and_a_training_of_offers_is_not_in_its_way():
    with only_one(KIND):
        assert isinstance(raised_in_a_thread(learn_sequences), TrainingError)
        assert train().status == "done"
    with only_one():
        assert learn_sequences().status == "done"


def test_the_command_and_the_task_say_what_was_done_or_why_not(capsys, monkeypatch):
    call_command("ecomrec_sequences")
    assert "There are no orders or other events yet" in capsys.readouterr().out
    assert "There are no orders" in sequences_task()["message"]

    def refuse(progress):
        raise TrainingError("Another training is running")

    monkeypatch.setattr("ecomrec_django.management.commands.ecomrec_sequences.learn_sequences", refuse)
    with pytest.raises(CommandError, match="Another training is running"):
        call_command("ecomrec_sequences")


def test_a_run_that_takes_more_memory_than_it_may_is_stopped_and_says_so(settings):
    settings.ECOMREC = {**settings.ECOMREC, "DEEP_MEMORY": "1MB"}
    RouteShop(customers=20, weeks=2)
    with pytest.raises(MemoryLimitError, match="DEEP_MEMORY"):
        learn_sequences()
    run = TrainingRun.objects.get()
    assert run.status == TrainingRun.Status.FAILED
    assert "DEEP_MEMORY" in run.message
