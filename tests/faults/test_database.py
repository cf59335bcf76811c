"""The database goes away under a shop that is being visited, and comes back."""

import pytest
from django.db import connection

from ecomrec_django.models import Event, Omission

from ..support.breakable_services import GUNICORN, PATIENCE, THREADS, Cable, environment, serving
from ..support.processes import wait_for
from .conftest import database_url

pytestmark = pytest.mark.server


def lost() -> int:
    return sum(Omission.objects.filter(reason="lost").values_list("count", flat=True))


@pytest.fixture
def cable(database):
    given = connection.settings_dict
    cable = Cable((given["HOST"], int(given["PORT"])))
    yield cable
    cable.cut()


@pytest.mark.parametrize("kind", [GUNICORN, THREADS], ids=["one-thread", "threads"])
def test_pages_go_on_and_what_is_lost_is_counted(kind, cable, tmp_path):
    given = environment(database_url(cable.port), BREAKER_SECONDS="0.5")
    with serving(kind, given, tmp_path) as server:
        seen = [server.get("/page/a/") for _ in range(10)]
        wait_for(lambda: Event.objects.count() == 10, server.log)
        cable.cut()
        seen += [server.get("/page/a/") for _ in range(10)]
        cable.mend()

        def recorded_again():
            seen.append(server.get("/page/a/"))
            return Event.objects.count() > 10

        wait_for(recorded_again, server.log)
        server.stop()
    assert {status for status, _ in seen} == {200}
    assert max(seconds for _, seconds in seen) < PATIENCE
    assert lost() >= 10
    assert lost() + Event.objects.count() == len(seen)


def test_a_failed_write_does_not_break_the_next_page(cable, tmp_path):
    with serving(GUNICORN, environment(database_url(cable.port)), tmp_path) as server:
        assert server.get("/page/a/")[0] == 200
        wait_for(lambda: Event.objects.count() == 1, server.log)
        cable.cut()
        assert server.get("/page/a/")[0] == 200
        wait_for(lambda: "Events were not recorded" in server.log.read_text(), server.log)
        cable.mend()
        assert server.get("/counted/")[0] == 200
        server.stop()
    assert lost() == 1


def test_a_connection_that_died_while_idle_costs_no_event(cable, tmp_path):
    """As after a restart of the database, or its wait_timeout: the page did not use the connection, so tracking is the
    first that notices."""
    with serving(GUNICORN, environment(database_url(cable.port)), tmp_path) as server:
        assert server.get("/page/a/")[0] == 200
        wait_for(lambda: Event.objects.count() == 1, server.log)
        cable.cut()
        cable.mend()
        assert server.get("/page/a/")[0] == 200
        server.stop()
    assert Event.objects.count() == 2
    assert lost() == 0
