from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, OperationalError
from rest_framework.request import Request

from ecomrec_django.models import Event, Item, Kind, Omission
from ecomrec_django.tracking import sinks, tally, track
from ecomrec_django.tracking.intake import store
from ecomrec_django.tracking.observation import Observation
from ecomrec_django.tracking.request import of
from ecomrec_django.tracking.sinks import Breaker, DatabaseSink
from ecomrec_django.tracking.tally import Reason, flush, leave_out, left_out

pytestmark = pytest.mark.django_db


def seen(number: int = 1, item: str = "a", **more) -> Observation:
    return Observation(Kind.VIEW_ITEM, item, visitor=f"{number:064x}", **more)


@pytest.fixture(autouse=True)
def item():
    return Item.objects.create(external_id="a", title="A", fingerprint="")


@pytest.fixture
def clock(monkeypatch):
    """The breaker's clock, which stands still until it is set."""
    clock = [1000.0]
    monkeypatch.setattr(sinks, "monotonic", lambda: clock[0])
    return clock


def test_after_a_failure_one_attempt_goes_first_and_the_others_follow_its_success(clock):
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


def test_while_the_database_refuses_it_is_asked_once(monkeypatch, clock):
    asked = []

    def refuse(observations):
        asked.append(observations)
        raise OperationalError(2002, "planted")

    monkeypatch.setattr(sinks, "store", refuse)
    sink = DatabaseSink()
    for _ in range(5):
        sink.write([seen(), seen()])
    assert len(asked) == 1
    assert left_out(Reason.LOST) == 10


def test_one_event_that_spoils_its_chunk_costs_itself_alone(monkeypatch):
    def refuse_the_third(observations):
        if any(one.item == "bad" for one in observations):
            raise IntegrityError("planted")
        store(observations)

    monkeypatch.setattr(sinks, "store", refuse_the_third)
    sink = DatabaseSink()
    sink.write([seen(1), seen(2), seen(3, "bad"), seen(4)])
    sink.write([seen(5)])
    assert Event.objects.count() == 4
    assert left_out(Reason.LOST) == 1


def test_a_chunk_that_fails_counts_nothing_but_its_loss(monkeypatch):
    def fail(*arguments, **options):
        raise OperationalError(2002, "planted")

    monkeypatch.setattr("ecomrec_django.tracking.intake.insert", fail)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    DatabaseSink().write([seen(1), seen(2, time=tomorrow)])
    assert (left_out(Reason.LOST), left_out(Reason.FUTURE)) == (2, 0)


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
    assert [left_out(reason) for reason in reasons] == [4, 1, 1, 1]
    assert Event.objects.count() + sum(map(left_out, reasons)) == len(sent) + 1


def test_counts_are_written_now_and_then_and_kept_where_that_fails(monkeypatch):
    leave_out(Reason.BOT, 3)
    flush(now=True)
    leave_out(Reason.BOT, 2)
    flush()
    assert Omission.objects.get().count == 3

    def fail(counts):
        raise OperationalError("planted")

    with monkeypatch.context() as broken:
        broken.setattr(tally, "_add", fail)
        with pytest.raises(OperationalError):
            flush(now=True)
    flush(now=True)
    assert Omission.objects.get().count == 5


def test_counts_of_one_moment_belong_to_one_day(monkeypatch):
    """Midnight passes while they are written."""
    days = [datetime(2026, 1, 1, 23, 59, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)]
    moments = iter(days)
    monkeypatch.setattr(tally.timezone, "now", lambda: next(moments, days[-1]))
    leave_out(Reason.BOT, 3)
    flush(now=True)
    assert Omission.objects.values_list("count", flat=True).get() == 3


def test_what_a_view_of_rest_framework_says_reaches_the_middleware(rf):
    request = rf.get("/")
    track.add_to_cart(Request(request), "a")
    assert [one.item for one in of(request).seen] == ["a"]
