"""Redis or Celery's broker refuses, is silent, or is full."""

import pytest

from ecomrec_django.models import Event, Omission
from tests.processes import free_port

from .parts import GUNICORN, PATIENCE, UVICORN, environment, redis, serving, silent, wait_until


@pytest.fixture(params=["refused", "silent"])
def broken_port(request):
    if request.param == "refused":
        yield free_port()
    else:
        with silent() as port:
            yield port


@pytest.mark.parametrize("kind", [GUNICORN, UVICORN], ids=["gunicorn", "uvicorn"])
def test_no_request_depends_on_the_broker_of_the_jobs(kind, broken_port, database, tmp_path):
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


@pytest.mark.mariadb
def test_events_go_straight_into_the_database_without_redis(broken_redis, database, tmp_path):
    given = environment(
        database,
        SHOP_SINK="ecomrec_django.tracking.redis_sink.RedisSink",
        SHOP_REDIS=f"redis://127.0.0.1:{broken_redis}/0",
    )
    with serving(GUNICORN, given, tmp_path) as server:
        seen = [server.get("/page/a/") for _ in range(30)]
        wait_until(lambda: Event.objects.count() == len(seen), server.log)
        server.stop()
        assert "straight into the database" in server.log.read_text()
    assert {status for status, _ in seen} == {200}
    # One request of them waited for Redis, and no longer than its time.
    assert sum(seconds for _, seconds in seen) < PATIENCE
    assert Event.objects.count() == len(seen)
    assert not Omission.objects.filter(reason="lost").exists()
