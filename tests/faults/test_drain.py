"""The way through Redis: workers that are killed, a database that refuses, entries that make no sense."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from redis import Redis

from ecomrec_django.models import Arm, Erasure, Event, Experiment, Exposure, HeldEvent, Kind, Omission
from ecomrec_django.tasks import drain_task
from ecomrec_django.tracking import drain as module
from ecomrec_django.tracking.drain import GROUP, drain
from ecomrec_django.tracking.observation import ArmExposure, Observation
from ecomrec_django.tracking.omissions import Reason, omitted_count
from ecomrec_django.tracking.redis_sink import FIELD, STREAM, RedisSink
from ecomrec_django.tracking.sinks import DatabaseSink
from tests.support.processes import ROOT, wait_for

from ..support.breakable_services import Cable, environment, redis
from ..support.threads import SECONDS, at_once
from .conftest import database_url

pytestmark = pytest.mark.server
SINK = "ecomrec_django.tracking.redis_sink.RedisSink"


@pytest.fixture
def queue(database, settings, tmp_path):
    """A Redis of our own, as the shop's."""
    with redis(tmp_path) as port:
        settings.ECOMREC = {**settings.ECOMREC, "SINK": SINK, "REDIS": f"redis://127.0.0.1:{port}/0"}
        with Redis(port=port) as client:
            yield client


def seen(number: int, **more) -> Observation:
    return Observation(kind=Kind.VIEW_ITEM, item="a", visitor=f"{number:064x}", **more)


def fill(client, observations) -> None:
    with client.pipeline(transaction=False) as pipeline:
        for one in observations:
            pipeline.xadd(STREAM, {FIELD: one.to_json()})
        pipeline.execute()


@contextmanager
def draining(client, database):
    port = client.connection_pool.connection_kwargs["port"]
    given = environment(database, SHOP_SINK=SINK, SHOP_REDIS=f"redis://127.0.0.1:{port}/0")
    process = subprocess.Popen([sys.executable, "manage.py", "ecomrec_drain"], cwd=ROOT, env=given)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_events_are_drained_once_and_removed_from_redis(queue):
    RedisSink().write([seen(n) for n in range(7)])
    assert not Event.objects.exists()
    assert drain_task() == {"entries": 7, "unreadable": 0, "spoilt": 0}
    assert Event.objects.count() == 7
    assert queue.xlen(STREAM) == 0
    assert queue.xinfo_consumers(STREAM, GROUP) == []
    assert drain(once=True).entries == 0


def test_exposures_pass_through_redis(queue):
    experiment = Experiment.objects.create(name="first", slot="product", status="running")
    arm = Arm.objects.create(experiment=experiment, name="a")
    took_part = Observation(
        kind=Kind.VIEW_ITEM_LIST, item="", visitor=f"{1:064x}", exposure=ArmExposure(arm.pk, 0, 0.45)
    )
    RedisSink().write([took_part, seen(1)])
    assert drain_task() == {"entries": 2, "unreadable": 0, "spoilt": 0}
    assert list(Exposure.objects.values_list("arm", "propensity")) == [(arm.pk, 0.45)]
    assert Event.objects.count() == 1


def test_redis_holds_nobody_but_as_a_keyed_hash(queue):
    RedisSink().write([seen(5)])
    ((_, fields),) = queue.xrange(STREAM)
    assert Observation.from_json(fields[FIELD]).visitor == f"{5:064x}"


def stopped_within_a_batch(process, queue):
    """Stops the worker if it has stored some batches and holds another one; else it goes on."""
    process.send_signal(signal.SIGSTOP)
    if Event.objects.exists() and queue.xpending(STREAM, GROUP)["pending"] > 0:
        return True
    process.send_signal(signal.SIGCONT)
    return False


def test_a_killed_worker_stores_every_event_exactly_once(queue, database, monkeypatch):
    fill(queue, [seen(n) for n in range(6000)])
    with draining(queue, database) as process:
        wait_for(lambda: stopped_within_a_batch(process, queue))
        process.send_signal(signal.SIGKILL)
        process.wait()
    half = Event.objects.count()
    assert 0 < half < 6000
    monkeypatch.setattr(module, "ABANDONED_SECONDS", 0.0)
    drain(once=True)
    assert Event.objects.count() == 6000
    assert Event.objects.values("visitor").distinct().count() == 6000
    assert queue.xlen(STREAM) == 0


def test_a_worker_told_to_stop_finishes_what_it_holds(queue, database):
    fill(queue, [seen(n) for n in range(3000)])
    with draining(queue, database) as process:
        wait_for(Event.objects.exists)
        process.terminate()
        assert process.wait(SECONDS) == 0
    assert queue.xpending(STREAM, GROUP)["pending"] == 0
    assert Event.objects.count() + queue.xlen(STREAM) == 3000


def test_events_wait_in_redis_while_the_database_is_down(queue, database):
    cable = Cable(("127.0.0.1", int(database.rsplit(":", 1)[1].split("/")[0])))
    with draining(queue, database_url(cable.port)):
        fill(queue, [seen(1)])
        wait_for(lambda: Event.objects.count() == 1)
        cable.cut()
        fill(queue, [seen(n) for n in range(2, 30)])
        wait_for(lambda: queue.xpending(STREAM, GROUP)["pending"] > 0)
        cable.mend()
        wait_for(lambda: Event.objects.count() == 29)
        wait_for(lambda: queue.xlen(STREAM) == 0)
    cable.cut()
    assert not Omission.objects.filter(reason="lost").exists()


def test_draining_once_says_that_the_database_does_not_take_it(queue, monkeypatch):
    from django.db import OperationalError

    def store(observations):
        raise OperationalError(2002, "planted")

    fill(queue, [seen(1)])
    monkeypatch.setattr(module, "store", store)
    with pytest.raises(CommandError, match="waiting in Redis"):
        call_command("ecomrec_drain", once=True)
    monkeypatch.undo()
    monkeypatch.setattr(module, "ABANDONED_SECONDS", 0.0)
    assert drain(once=True).entries == 1
    assert Event.objects.count() == 1


def test_an_entry_that_makes_no_sense_is_counted_and_blocks_nothing(queue):
    fill(queue, [seen(1)])
    for poison in (
        {FIELD: b"{"},
        {FIELD: b"[1,2]"},
        {FIELD: b"\xff"},
        {b"x": b"1"},
        {FIELD: b'["view_item"' + b",1" * 8},
    ):
        queue.xadd(STREAM, poison)
    fill(queue, [seen(2)])
    assert drain(once=True).unreadable == 5
    assert Event.objects.count() == 2
    assert omitted_count(Reason.LOST) == 5
    assert queue.xlen(STREAM) == 0


def test_an_invalid_event_does_not_lose_its_batch(queue):
    fill(queue, [*(seen(n) for n in range(50)), Observation(kind=Kind.VIEW_ITEM, item="\ud800", visitor="f" * 64)])
    assert drain(once=True).spoilt == 1
    assert Event.objects.count() == 50
    assert omitted_count(Reason.LOST) == 1


def test_a_full_redis_can_be_drained(queue, monkeypatch):
    fill(queue, [seen(n) for n in range(5)])
    drain(once=True)
    fill(queue, [seen(n) for n in range(5, 10)])
    queue.config_set("maxmemory-policy", "noeviction")
    queue.config_set("maxmemory", 1)
    RedisSink().write([seen(10)])
    assert Event.objects.count() == 6
    drain(once=True)
    assert Event.objects.count() == 11
    assert queue.xlen(STREAM) == 0


@pytest.mark.parametrize("kind", [Kind.VIEW_ITEM, Kind.ADD_TO_CART])
@pytest.mark.parametrize("item", ["a", "not-in-the-catalog"])
def test_the_same_observation_by_three_ways_is_stored_once(queue, kind, item):
    one = Observation(kind=kind, item=item, visitor="e" * 64)
    sink = RedisSink()
    sink.write([one])
    sink.write([one])
    DatabaseSink().write([one])
    drain(once=True)
    assert Event.objects.count() + HeldEvent.objects.count() == 1
    assert omitted_count(Reason.DUPLICATE) == 2


def test_events_of_erased_visitors_are_not_drained(queue):
    now = datetime.now(UTC)
    Erasure.objects.create(key=f"{1:064x}", time=now - timedelta(minutes=5))
    fill(queue, [seen(1, time=now - timedelta(minutes=10)), seen(2), seen(1, time=now)])
    drain(once=True)
    assert sorted(Event.objects.values_list("visitor__key", flat=True)) == [f"{1:064x}", f"{2:064x}"]
    assert omitted_count(Reason.ERASED) == 1


def test_workers_that_start_together_share_the_work(queue):
    for turn in range(5):
        queue.flushall()
        fill(queue, [seen(n + 1000 * turn) for n in range(1000)])
        reports = at_once(*[lambda: drain(once=True)] * 2)
        assert sum(report.entries for report in reports) == 1000
        assert Event.objects.count() == 1000 * (turn + 1)
        assert queue.xlen(STREAM) == 0


def test_a_forked_child_writes_through_a_connection_of_its_own(queue):
    sink = RedisSink()
    sink.write([seen(0)])
    child = os.fork()
    if child == 0:
        sink.write([seen(n) for n in range(1, 20)])
        os._exit(0)
    sink.write([seen(n) for n in range(20, 40)])
    assert os.waitpid(child, 0)[1] == 0
    assert queue.xlen(STREAM) == 40
