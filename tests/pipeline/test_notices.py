"""Notices of what is held back and of trainings that fail; a receiver that fails harms nothing."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.core import mail

from ecomrec_django.errors import TrainingError
from ecomrec_django.failures import failure_counts, reset_failures
from ecomrec_django.models import TrainingRun
from ecomrec_django.pipeline.notices import notify, notify_of_held
from ecomrec_django.pipeline.runs import recorded_run
from ecomrec_django.testing import override_ecomrec, publish_offers
from tests.support.verdicts import FELL, give_verdict

pytestmark = pytest.mark.django_db
CALLED = "tests.pipeline.test_notices.receive"
received = []


def receive(subject, text):
    received.append((subject, text))


def refuse(subject, text):
    raise OSError("nobody answers")


@pytest.fixture(autouse=True)
def _empty():
    received.clear()
    reset_failures()


class Webhook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((self.headers["Content-Type"], json.loads(body)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def webhook():
    server = HTTPServer(("127.0.0.1", 0), Webhook)
    server.posts = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_every_kind_of_receiver_is_told(webhook):
    with override_ecomrec(NOTIFY=["staff@shop.example", f"http://127.0.0.1:{webhook.server_port}/hook", CALLED]):
        notify("Held back", "Why")
    (message,) = mail.outbox
    assert (message.subject, message.body, message.to) == ("Held back", "Why", ["staff@shop.example"])
    assert webhook.posts == [("application/json", {"subject": "Held back", "text": "Why"})]
    assert received == [("Held back", "Why")]


@pytest.mark.parametrize("broken", ["tests.pipeline.test_notices.refuse", "no.such.path", "http://127.0.0.1:9/"])
def test_a_receiver_that_fails_stops_no_other(broken):
    with override_ecomrec(NOTIFY=[broken, CALLED]):
        notify("Held back", "Why")
    assert received == [("Held back", "Why")]
    assert {area for area, _ in failure_counts} == {"notice"}


def test_nobody_is_told_by_default():
    notify("Held back", "Why")
    assert (mail.outbox, received) == ([], [])


def test_a_notice_names_what_is_held_back_why_and_what_is_shown():
    former, release = publish_offers({"bought_with": {"A": ["B"]}}), publish_offers({"bought_with": {"A": ["C"]}})
    give_verdict(release, source=former)
    give_verdict(release, "for_you")
    with override_ecomrec(NOTIFY=[CALLED]):
        notify_of_held(release, published=True)
    ((subject, text),) = received
    assert subject == f"Release {release.pk}: offers were held back"
    assert f"bought_with:\n{FELL}\nShown instead: the offers of release {former.pk}." in text
    assert f"for_you:\n{FELL}\nShown instead: nothing." in text


def test_a_release_that_passes_needs_no_notice():
    release = publish_offers({"bought_with": {"A": ["B"]}})
    give_verdict(release, outcome="warned")
    with override_ecomrec(NOTIFY=[CALLED]):
        notify_of_held(release, published=True)
    assert received == []


def test_a_training_that_fails_tells_where_but_quotes_nothing():
    def fail():
        with recorded_run(TrainingRun.Kind.RELEASE) as run:
            run.stage = "orders"
            raise ValueError("anna@shop.example bought this twice")

    with override_ecomrec(NOTIFY=[CALLED]), pytest.raises(TrainingError):
        fail()
    run = TrainingRun.objects.get()
    ((subject, text),) = received
    assert subject == f"Training run {run.pk} failed"
    assert "in stage “orders”" in text
    assert "anna" not in text
