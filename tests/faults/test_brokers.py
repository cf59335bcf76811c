"""Redis or Celery's broker refuses, is silent, or is full."""

from statistics import median

import pytest

from ecomrec_django.models import Event, Omission
from ecomrec_django.tracking import redis_sink
from tests.services import free_port

from ..support.breakable_services import GUNICORN, PATIENCE, UVICORN, environment, redis, serving, silent
from ..support.processes import wait_for


@pytest.fixture(params=["refused", "silent"])
def broken_port(request):
    if request.param == "refused":
        yield free_port()
    else:
        with silent() as port:
            yield port


@pytest.mark.parametrize("kind", [GUNICORN, UVICORN], ids=["gunicorn", "uvicorn"])
def test_requests_do_not_depend_on_the_broker(kind, broken_port, database, tmp_path):
    given = environment(database, CELERY_BROKER_URL=f"redis://127.0.0.1:{broken_port}/0")
    with serving(kind, given, tmp_path) as server:
        seen = [server.get(path) for path in ["/page/a/", "/order/?number={}", "/page/a/"]]
        server.stop()
    assert {status for status, _ in seen} == {200}
    assert max(seconds for _, seconds in seen) < PATIENCE
    assert sorted(Event.objects.values_list("kind", flat=True)) == ["purchase", "view_item", "view_item"]


@pytest.fixture(params=["refused", "silent", "full"])
def broken_redis(request, tmp_path):
    if request.param == "refused":
        yield free_port()
    elif request.param == "silent":
        with silent() as port:
            yield port
    else:
        with redis(tmp_path, "--maxmemory", "1", "--maxmemory-policy", "noeviction") as port:
            yield port


@pytest.mark.server
def test_events_go_straight_into_the_database_without_redis(broken_redis, database, tmp_path):
    given = environment(
        database,
        SHOP_SINK="ecomrec_django.tracking.redis_sink.RedisSink",
        SHOP_REDIS=f"redis://127.0.0.1:{broken_redis}/0",
    )
    with serving(GUNICORN, given, tmp_path) as server:
        seen = [server.get("/page/a/") for _ in range(30)]
        wait_for(lambda: Event.objects.count() == len(seen), server.log)
        server.stop()
        assert "written directly to the database" in server.log.read_text()
    assert {status for status, _ in seen} == {200}
    # One request of them waited for Redis, and no longer than its time; the others did not.
    assert max(seconds for _, seconds in seen) < PATIENCE
    assert median(seconds for _, seconds in seen) < redis_sink.SECONDS
    assert Event.objects.count() == len(seen)
    assert not Omission.objects.filter(reason="lost").exists()
