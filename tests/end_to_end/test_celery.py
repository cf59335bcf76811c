"""A real worker on a real broker: what a shop runs in production."""

import os
import uuid

import pytest

from tests.support.processes import wait_for

pytestmark = pytest.mark.server

STATE = """
from ecomrec_django.models import Publication, TrainingRun
run = TrainingRun.objects.order_by("-pk").first()
shown = Publication.objects.values_list("release__run", flat=True).first()
print(run.pk if run else 0, run.status if run else "none", shown)
"""
SEND = """
from example_shop.celery import app
app.send_task("ecomrec.train", kwargs={{"publish": True}}, queue={queue!r})
"""


def test_a_worker_trains_and_publishes_a_release(staple_process):
    assert os.environ.get("CELERY_BROKER_URL"), "Run this by: python -m tests.services postgres"
    queue = f"ecomrec-test-{uuid.uuid4().hex}"
    last = int(staple_process.ask(STATE).split()[0])
    worker = ["-m", "celery", "-A", "example_shop", "worker", "--pool", "solo", "--loglevel", "INFO", "--queues", queue]
    with staple_process.running(*worker, "--hostname", f"{queue}@%h", "--without-gossip", "--without-mingle") as log:
        staple_process.ask(SEND.format(queue=queue))
        wait_for(lambda: "succeeded" in log.read_text() or "raised" in log.read_text(), log)
        said = log.read_text()
    run, status, shown = staple_process.ask(STATE).split()
    assert int(run) > last, said
    assert status == "done", said
    assert shown == run, said
    assert int(staple_process.ask("from ecomrec_django.models import OfferList; print(OfferList.objects.count())")) > 50
