from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, OperationalError
from rest_framework.request import Request

from ecomrec_django.models import Event, Item, Kind, Omission
from ecomrec_django.tracking import omissions, sinks, track
from ecomrec_django.tracking.intake import store
from ecomrec_django.tracking.observation import Observation
from ecomrec_django.tracking.omissions import Reason, count_omitted, flush_omissions, omitted_count
from ecomrec_django.tracking.request_state import recorded
from ecomrec_django.tracking.sinks import Breaker, DatabaseSink

pytestmark = pytest.mark.django_db


def seen(number: int = 1, item: str = "a", **more) -> Observation:
    return Observation(kind=Kind.VIEW_ITEM, item=item, visitor=f"{number:064x}", **more)


@pytest.fixture(autouse=True)
def item():
    return Item.objects.create(external_id="a", title="A", fingerprint="")


@pytest.fixture
def clock(monkeypatch):
    """The breaker's clock, which stands still until it is set."""
    clock = [1000.0]
    monkeypatch.setattr(sinks, "monotonic", lambda: clock[0])
    return clock


def test_after_a_failure_one_attempt_goes_first(clock):
    breaker = Breaker()
    assert breaker.lets_through()
    breaker.trip()
    assert not breaker.lets_through()
    clock[0] += Breaker.SECONDS
    assert [breaker.lets_through() for _ in range(3)] == [True, False, False]
    breaker.mend()
    assert breaker.lets_through()
    assert breaker.lets_through()


def test_an_attempt_that_fails_again_keeps_the_others_away(clock):
    breaker = Breaker()
    breaker.trip()
    clock[0] += Breaker.SECONDS
    assert breaker.lets_through()
    breaker.trip()
    clock[0] += Breaker.SECONDS - 1
    assert not breaker.lets_through()


def test_a_refusing_database_is_tried_once(monkeypatch, clock):
    asked = []

    def refuse(observations):
        asked.append(observations)
        raise OperationalError(2002, "planted")

    monkeypatch.setattr(sinks, "store", refuse)
    sink = DatabaseSink()
    for _ in range(5):
        sink.write([seen(), seen()])
    assert len(asked) == 1
    assert omitted_count(Reason.LOST) == 10


def test_an_invalid_event_does_not_lose_its_chunk(monkeypatch):
    def refuse_the_third(observations):
        if any(one.item == "bad" for one in observations):
            raise IntegrityError("planted")
        store(observations)

    monkeypatch.setattr(sinks, "store", refuse_the_third)
    sink = DatabaseSink()
    sink.write([seen(1), seen(2), seen(3, "bad"), seen(4)])
    sink.write([seen(5)])
    assert Event.objects.count() == 4
    assert omitted_count(Reason.LOST) == 1


def test_a_chunk_that_fails_counts_nothing_but_its_loss(monkeypatch):
    def fail(*arguments, **options):
        raise OperationalError(2002, "planted")

    monkeypatch.setattr("ecomrec_django.tracking.intake.bulk_insert", fail)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    DatabaseSink().write([seen(1), seen(2, time=tomorrow)])
    assert (omitted_count(Reason.LOST), omitted_count(Reason.FUTURE)) == (2, 0)


def test_every_observation_is_stored_or_counted_under_one_reason():
    now = datetime.now(UTC)
    twice = seen(3, "unknown")
    sent = [
        *(seen(1, time=now - timedelta(seconds=n)) for n in range(3)),
        seen(2, time=now + timedelta(hours=1)),
        seen(2, time=now - timedelta(days=8)),
        twice,
        twice,
    ]
    store(sent)
    store([twice])
    reasons = (Reason.DUPLICATE, Reason.FUTURE, Reason.STALE, Reason.HELD)
    assert [omitted_count(reason) for reason in reasons] == [4, 1, 1, 1]
    assert Event.objects.count() + sum(map(omitted_count, reasons)) == len(sent) + 1


def test_counts_are_written_now_and_then_and_kept_where_that_fails(monkeypatch):
    count_omitted(Reason.BOT, 3)
    flush_omissions(now=True)
    count_omitted(Reason.BOT, 2)
    flush_omissions()
    assert Omission.objects.get().count == 3

    def fail(counts):
        raise OperationalError("planted")

    with monkeypatch.context() as broken:
        broken.setattr(omissions, "_write", fail)
        with pytest.raises(OperationalError):
            flush_omissions(now=True)
    flush_omissions(now=True)
    assert Omission.objects.get().count == 5


def test_counts_of_one_moment_belong_to_one_day(monkeypatch):
    """Midnight passes while they are written."""
    days = [datetime(2026, 1, 1, 23, 59, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)]
    moments = iter(days)
    monkeypatch.setattr(omissions.timezone, "now", lambda: next(moments, days[-1]))
    count_omitted(Reason.BOT, 3)
    flush_omissions(now=True)
    assert Omission.objects.values_list("count", flat=True).get() == 3


def test_calls_of_track_in_api_views_reach_the_middleware(rf):
    request = rf.get("/")
    track.add_to_cart(Request(request), "a")
    assert [one.item for one in recorded(request).observations] == ["a"]
