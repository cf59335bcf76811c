"""The change lists: the same number of queries for 5 rows and for 50, and never a count over a whole table."""

from datetime import date, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ecomrec_django.admin import base, events
from ecomrec_django.admin.components import search
from ecomrec_django.models import (
    Category,
    Decision,
    Erasure,
    Event,
    HeldEvent,
    Impression,
    Item,
    OfferList,
    Omission,
    Override,
    Profile,
    Segment,
    TrainingRun,
    Visitor,
)

from .conftest import make_release, together

pytestmark = pytest.mark.urls("tests.admin.urls")


def grow(planted, start, stop):
    """Rows ``start`` to ``stop`` of everything."""
    for n in range(start, stop):
        category = Category.objects.create(name=f"C{n}", path=f"C{n}", digest=f"c{n}")
        item = Item.objects.create(
            external_id=f"G{n}", title=f"G{n}", category=category, image="/x.png", fingerprint=""
        )
        visitor = Visitor.objects.create(key=f"{n:064d}")
        segment = Segment.objects.create(label=n, description=f"S{n}", size=n)
        Profile.objects.create(visitor=visitor, segment=segment, history=b"", until=timezone.now())
        Event.objects.create(kind="view_item", visitor=visitor, item=item, time=timezone.now())
        Impression.objects.create(
            visitor=visitor, item=item, strategy="bought_with", position=1, time=timezone.now(), key=f"k{n}"
        )
        HeldEvent.objects.create(external_id="?", visitor=visitor, kind="view_item", time=timezone.now(), key=f"k{n}")
        Omission.objects.create(day=date(2026, 1, 1) + timedelta(days=n), reason="bot", count=n)
        OfferList.objects.create(
            release=planted.published,
            strategy="bought_with",
            anchor=item,
            offers=together("P2", f"G{n}"),
            unreviewed=[f"G{n}", "P2"],
            priority=n,
        )
        staff = User.objects.create_user(f"grown{n}")
        Decision.objects.create(
            action="pin", user=staff, strategy="bought_with", anchor=item, offer=item, category=category
        )
        pair = {"anchor": item, "offer": planted.items[0], "segment": segment}
        Override.objects.create(strategy="bought_with", action="pin", **pair)
        Erasure.objects.create(key=f"{n:064d}", time=timezone.now(), removed_rows={"events": n})
        make_release()


def changelist(planted, model) -> str:
    """The queue is that of the newest release unless another is asked for."""
    return f"/admin/ecomrec/{model}/" + (f"?release={planted.published.pk}" if model == "reviewlist" else "")


@pytest.mark.parametrize(
    "model",
    [
        *("release", "offerlist", "reviewlist", "override", "decision", "trainingrun", "item", "category"),
        *("event", "visitor", "impression", "heldevent", "omission", "erasure", "segment"),
    ],
)
def test_fifty_rows_take_as_many_queries_as_five(superuser_client, planted, model):
    url = changelist(planted, model)
    grow(planted, 0, 5)
    superuser_client.get(url)
    with CaptureQueriesContext(connection) as few:
        assert superuser_client.get(url).status_code == 200
    grow(planted, 5, 50)
    with CaptureQueriesContext(connection) as many:
        assert len(superuser_client.get(url).context["cl"].result_list) >= 45
    assert len(many) == len(few) <= 10


@pytest.mark.parametrize("model", ["offerlist", "reviewlist", "decision", "item", "event", "override"])
def test_rows_are_counted_up_to_a_bound_only(superuser_client, planted, model, monkeypatch):
    monkeypatch.setattr(base, "MAX_ROWS", 3)
    url = changelist(planted, model)
    grow(planted, 0, 5)
    with CaptureQueriesContext(connection) as queries:
        response = superuser_client.get(url)
    counts = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
    assert counts
    assert all("LIMIT 3" in sql for sql in counts)
    assert "Only the first 3 rows can be paged through" in response.content.decode()


def test_events_are_listed_from_the_newest_within_a_bounded_window(superuser_client, planted, monkeypatch):
    monkeypatch.setattr(events, "RECENT", 2)
    grow(planted, 0, 4)
    response = superuser_client.get("/admin/ecomrec/event/")
    assert [event.item.title for event in response.context["cl"].result_list] == ["G3", "G2"]
    oldest = Event.objects.earliest("pk")
    assert superuser_client.get(f"/admin/ecomrec/event/{oldest.pk}/change/").status_code == 200


def test_events_are_found_by_item_visitor_or_order(superuser_client, planted):
    grow(planted, 0, 3)
    Event.objects.filter(item__external_id="G2").update(basket="ORDER-7")
    for text, found in [
        ("G1", ["G1"]),
        (f"{0:064d}", ["G0"]),
        ("ORDER-7", ["G2"]),
        ("ORDER", []),
        (" ", ["G2", "G1", "G0"]),
    ]:
        response = superuser_client.get("/admin/ecomrec/event/", {"q": text})
        assert [event.item.title for event in response.context["cl"].result_list] == found


def test_a_large_catalog_is_searched_by_the_beginning_of_titles(planted, monkeypatch):
    assert search.search_items(Item.objects.all(), "duct 3").get().external_id == "P3"
    monkeypatch.setattr(search, "SCANNED", 0)
    assert not search.search_items(Item.objects.all(), "duct 3").exists()
    assert search.search_items(Item.objects.all(), "product 3").get().external_id == "P3"


def test_an_exact_id_is_found_before_any_title(planted):
    Item.objects.filter(external_id="P3").update(title="Like P2 but better")
    assert search.search_items(Item.objects.all(), " P2 ").get().external_id == "P2"


def test_a_run_shows_how_far_it_is_and_why_it_failed(superuser_client, db):
    run = TrainingRun.objects.create(
        status="failed", percent=40, stage="pairs", message="No purchases: <b>", metrics={"seconds": {"pairs": 1.5}}
    )
    html = superuser_client.get(f"/admin/ecomrec/trainingrun/{run.pk}/change/").content.decode()
    for text in ('value="40"', "failed", "pairs", "No purchases: &lt;b&gt;", "seconds · pairs", "1.500"):
        assert text in html
