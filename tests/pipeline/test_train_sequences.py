"""A network that learns what comes next, and the release that uses it where it helps."""

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from ecomrec_django.artifacts import network_folder
from ecomrec_django.errors import MemoryLimitError, TrainingError
from ecomrec_django.locks import exclusive
from ecomrec_django.models import Event, Item, TrainingRun, Visitor
from ecomrec_django.pipeline.network_store import METADATA, latest_network, save_network
from ecomrec_django.pipeline.replay import NetworkFeatures
from ecomrec_django.pipeline.sequence_networks import KIND, PAST_FILE, load_sequence_networks
from ecomrec_django.pipeline.train import train
from ecomrec_django.pipeline.train_sequences import train_sequences
from ecomrec_django.serving.model_cache import cached_model
from ecomrec_django.serving.offers import offers
from ecomrec_django.tasks import sequences_task
from ecomrec_django.tracking.visitors import token_key
from tests.support.route_shop import START, RouteShop, token
from tests.support.shoppers import asking
from tests.support.threads import raised_in_a_thread

pytestmark = pytest.mark.django_db
BOTH = "behaviour + sequences"


@pytest.fixture(autouse=True)
def _artifacts(settings, tmp_path):
    settings.ECOMREC = {**settings.ECOMREC, "ARTIFACTS": tmp_path}


@pytest.mark.once
def test_a_release_uses_a_network_that_predicts_the_next_step(monkeypatch):
    shop = RouteShop()
    run = train_sequences()
    assert (run.kind, run.status) == (TrainingRun.Kind.SEQUENCES, TrainingRun.Status.DONE)
    assert "among its first 20 predictions" in run.message
    assert len(run.metrics["quality"]) >= run.metrics["epochs"] > 1

    replayed, as_of = [], NetworkFeatures.as_of
    monkeypatch.setattr(NetworkFeatures, "as_of", lambda *given: replayed.append(given) or as_of(*given))
    found = train(publish=True)
    for task in ("bought_with", "for_you"):
        table = found.metrics["ablation"][task]
        assert table["used"] == BOTH
        assert table[BOTH]["test"] > 1.05 * table["behaviour"]["test"]
    assert "“For you” uses behaviour and sequence features." in found.message
    model = cached_model(found.release.pk, found.release.digest, wait=True)
    assert model.item_features.network is not None
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
    ((features, item_features, moment),) = replayed
    assert START.timestamp() < features.networks.moment <= moment
    assert as_of(features, item_features, moment).network is not None
    features.networks = replace(features.networks, moment=moment + 1)
    assert features.networks.past is not None
    assert as_of(features, item_features, moment).network is None


def first_of(customer: int) -> set[str]:
    return {offer.item for offer in offers(asking(token(customer)), "for_you", limit=3).offers}


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (0, "There are no orders or other events yet"),
        (1, "Not enough events to train on"),
    ],
)
def test_too_little_history_is_reported_and_a_release_is_still_made(events, message):
    shop = RouteShop(customers=150, weeks=1)
    Event.objects.exclude(item__external_id__startswith="route").delete()
    if not events:
        Event.objects.all().delete()
    assert len(shop.following) == 150
    run = train_sequences()
    assert run.status == TrainingRun.Status.DONE
    assert message in run.message
    assert load_sequence_networks() is None
    assert train(publish=True).release.complete


@pytest.mark.parametrize("harm", ["changed", "not its own"])
def test_a_changed_network_is_not_used(harm, caplog):
    def write(folder):
        (folder / "present.npz").write_bytes(b"no network")

    folder = save_network(KIND, write, {"moment": 0})
    if harm == "changed":
        (folder / METADATA).write_text(json.dumps({"moment": 1}))
    assert load_sequence_networks() is None
    messages = {"changed": "was changed since it was stored", "not its own": "The sequence networks cannot be read"}
    assert messages[harm] in caplog.text


def test_only_the_latest_complete_network_is_kept():
    def fail(folder):
        (folder / PAST_FILE).write_bytes(b"half")
        raise OSError

    first = save_network(KIND, lambda folder: (folder / PAST_FILE).write_bytes(b"first"), {})
    with pytest.raises(OSError):
        save_network(KIND, fail, {})
    assert latest_network(KIND)[0] == first
    second = save_network(KIND, lambda folder: (folder / PAST_FILE).write_bytes(b"second"), {})
    assert latest_network(KIND)[0] == second
    assert [path.name for path in network_folder(KIND).iterdir()] == [second.name]


def test_only_one_sequence_run_at_a_time_beside_trainings():
    with exclusive(KIND):
        assert isinstance(raised_in_a_thread(train_sequences), TrainingError)
        assert train().status == "done"
    with exclusive():
        assert train_sequences().status == "done"


def test_the_command_and_the_task_say_what_was_done_or_why_not(capsys, monkeypatch):
    call_command("ecomrec_sequences")
    assert "There are no orders or other events yet" in capsys.readouterr().out
    assert "There are no orders" in sequences_task()["message"]

    def refuse(progress):
        raise TrainingError("Another training is running")

    monkeypatch.setattr("ecomrec_django.management.commands.ecomrec_sequences.train_sequences", refuse)
    with pytest.raises(CommandError, match="Another training is running"):
        call_command("ecomrec_sequences")


def test_a_run_above_its_memory_limit_is_stopped(settings):
    settings.ECOMREC = {**settings.ECOMREC, "DEEP_MEMORY": "1MB"}
    RouteShop(customers=20, weeks=2)
    with pytest.raises(MemoryLimitError, match="DEEP_MEMORY"):
        train_sequences()
    run = TrainingRun.objects.get()
    assert run.status == TrainingRun.Status.FAILED
    assert "DEEP_MEMORY" in run.message
