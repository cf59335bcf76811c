"""Servers that are told to stop, and servers that fork."""

import threading
from collections import Counter

import pytest

from ecomrec_django.models import Event, Omission
from ecomrec_django.tracking.importers.orders import import_purchases
from example_shop.models import Order

from ..support.breakable_services import BOT, GUNICORN, PRELOADED, THREADS, UVICORN, environment, serving
from ..support.processes import wait_for
from ..support.threads import SECONDS


def counted(reason: str) -> int:
    return sum(Omission.objects.filter(reason=reason).values_list("count", flat=True))


class Crowd:
    """Shoppers, bots and buyers who all ask at once, until the server no longer answers."""

    def __init__(self, server):
        self.asked, self.answered = Counter(), Counter()
        self._server = server
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._shop, args=[n]) for n in range(4)]
        for thread in self._threads:
            thread.start()

    def _shop(self, number):
        for turn in range(10_000):
            what = ("view", "view", "bot", "order")[turn % 4]
            path = f"/order/?number={number}-{turn}" if what == "order" else "/page/a/"
            with self._lock:
                self.asked[what] += 1
            status, _ = self._server.get(path, agent=BOT if what == "bot" else "Mozilla/5.0 Firefox/140.0")
            if status != 200:
                return
            with self._lock:
                self.answered[what] += 1

    def enough(self):
        return self.answered.total() >= 60

    def wait(self):
        for thread in self._threads:
            thread.join(SECONDS)


@pytest.mark.parametrize("kind", [GUNICORN, THREADS, UVICORN], ids=["gunicorn", "gunicorn-threads", "uvicorn"])
def test_whatever_was_answered_before_the_end_is_stored_or_counted(kind, database, tmp_path, settings):
    settings.ECOMREC = {**settings.ECOMREC, "CATALOG": "tests.support.tracking_catalogs.PromptCatalog"}
    with serving(kind, environment(database), tmp_path) as server:
        crowd = Crowd(server)
        wait_for(crowd.enough, server.log)
        server.stop()
        crowd.wait()
    views = Event.objects.filter(kind="view_item").count() + counted("lost")
    assert crowd.answered["view"] <= views <= crowd.asked["view"]
    assert crowd.answered["bot"] <= counted("bot") <= crowd.asked["bot"]
    # Orders whose prompt import did not come about are found by the scheduled one; none counts twice.
    import_purchases()
    bought = Event.objects.filter(kind="purchase").values_list("basket", flat=True)
    assert sorted(bought) == sorted(Order.objects.values_list("number", flat=True))
    assert crowd.answered["order"] <= len(bought) <= crowd.asked["order"]


def test_forked_workers_do_not_count_their_parents_events(database, tmp_path):
    with serving(PRELOADED, environment(database), tmp_path) as server:
        for _ in range(12):
            assert server.get("/page/a/")[0] == 200
            assert server.get("/page/a/", agent=BOT)[0] == 200
        server.stop()
    assert Event.objects.count() == 12
    assert counted("bot") == 12
    assert counted("burst") == 7  # by the parent
