"""The overview: what runs, what does not, and what to do next."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ecomrec_django.insights import health as looking
from ecomrec_django.insights.health import Readiness, health
from ecomrec_django.models import (
    Checkpoint,
    DailyFigure,
    Event,
    HeldEvent,
    Item,
    OfferList,
    Omission,
    Publication,
    Release,
    Segment,
    TrainingRun,
    Visitor,
)
from ecomrec_django.testing import override_ecomrec
from tests.support.verdicts import give_verdict

from .conftest import make_release, together
from .test_lists_stay_fast import grow

pytestmark = pytest.mark.urls("tests.admin.urls")

OVERVIEW = "/admin/ecomrec/release/overview/"


@pytest.fixture
def overview(client_with):
    def look(*rights: str):
        return client_with("view_release", *rights).get(OVERVIEW)

    return look


def marks(response) -> dict[str, tuple[str, str]]:
    return {mark.label: (mark.text, mark.state) for mark in response.context["marks"]}


def happen(count: int, days: float = 0.1) -> None:
    item = Item.objects.get_or_create(external_id="E", defaults={"title": "E"})[0]
    time = timezone.now() - timedelta(days=days)
    Event.objects.bulk_create(Event(kind="view_item", item=item, time=time) for _ in range(count))


def test_the_overview_needs_permission_to_view_releases(client, client_with, db):
    assert "/admin/login/" in client.get(OVERVIEW)["Location"]
    assert client_with("view_offerlist").get(OVERVIEW).status_code == 403
    assert client_with("view_release").get(OVERVIEW).status_code == 200


class TestAnEmptyShop:
    def test_says_that_nothing_was_read_learned_or_published(self, overview, db):
        assert marks(overview()) == {
            "Catalog sync": ("never", "bad"),
            "Last training": ("never", "bad"),
            "Published": ("nothing", "bad"),
            "Events in the last 24 hours": ("0", ""),
            "Review queue": ("0", ""),
        }

    def test_is_told_one_step_after_another(self, overview, db):
        assert [step[:29] for step in overview().context["steps"]] == ["The catalog has not been sync"]
        Item.objects.create(external_id="E", title="E")
        steps = overview().context["steps"]
        assert [step.split(".")[0] for step in steps] == ["No events recorded yet", "Nothing has been trained yet"]
        cache.clear()
        happen(1)
        assert [step.split(".")[0] for step in overview().context["steps"]] == ["Nothing has been trained yet"]

    def test_has_no_readiness(self, overview, db):
        assert overview().context["readiness"] == []


class TestATrainedShop:
    @pytest.fixture
    def trained(self, planted):
        """A shop of 40 products, read and trained today."""
        Checkpoint.objects.create(name="catalog")
        run = planted.published.run
        run.metrics, run.finished = {"items": 40}, timezone.now()
        run.save()
        planted.published.metrics = {
            "bought_with": {"lists": 30, "category_lists": 3},
            "upgrade_to": {"lists": 12, "category_lists": 0},
            "for_you": {"lists": 0, "category_lists": 9},
            "gone": {"lists": 40},
            "odd": 3,
        }
        planted.published.save()
        happen(10, days=1.5)
        happen(6)
        return planted

    def test_is_good(self, overview, trained):
        Release.objects.filter(pk=trained.candidate.pk).delete()
        found = overview()
        said = marks(found)
        assert {label: state for label, (_, state) in said.items()} == {
            "Catalog sync": "good",
            "Last training": "good",
            "Published": "good",
            "Events in the last 24 hours": "good",
            "Review queue": "",
        }
        assert said["Published"][0] == str(trained.published)
        assert said["Events in the last 24 hours"][0] == "6"
        assert found.context["steps"] == []

    def test_has_so_many_percent_of_its_products_ready_by_strategy(self, overview, trained):
        assert health().readiness == [Readiness("bought_with", 30, 75), Readiness("upgrade_to", 12, 30)]
        found = overview()
        said = [(label, one.percent, text) for label, one, text in found.context["readiness"]]
        assert said == [("Bought with", 75, "good"), ("Upgrade to", 30, "using fallback")]
        assert 'value="75"' in found.content.decode()

    @pytest.mark.parametrize(
        ("percent", "state"),
        [(100, "good"), (75, "good"), (74, "weak"), (50, "weak"), (49, "fallback"), (0, "fallback")],
    )
    def test_is_ready_weak_or_falls_back_by_its_percent(self, percent, state):
        assert Readiness("x", 0, percent).state == state

    def test_is_told_that_the_newest_release_waits_and_how_many_lists(self, overview, trained):
        OfferList.objects.filter(release=trained.candidate).update(priority=1.0, unreviewed=["P5"])
        OfferList.objects.filter(release=trained.published).update(priority=1.0, unreviewed=["P5"])
        found = overview()
        assert found.context["steps"] == [
            f"{trained.candidate} is ready to publish. Review its lists, then publish it.",
            "2 lists need review.",
        ]
        assert marks(found)["Review queue"] == ("2", "")

    @pytest.mark.parametrize("name", ["candidate", "published"])
    def test_is_told_of_what_a_release_holds_back(self, overview, trained, name):
        release = getattr(trained, name)
        give_verdict(release)
        assert overview().context["steps"][0] == f"{release} holds back: Bought with. Open it to see why."

    def test_is_not_told_of_an_older_release_after_a_roll_forward(self, overview, trained):
        Publication.objects.update(release=trained.candidate, previous=trained.published)
        assert overview().context["steps"] == []

    def test_that_was_not_read_or_trained_for_long_is_to_be_looked_at(self, overview, trained, time_machine):
        time_machine.move_to(timezone.now() + timedelta(days=9))
        said = marks(overview())
        assert {label: said[label][1] for label in ("Catalog sync", "Last training")} == {
            "Catalog sync": "weak",
            "Last training": "weak",
        }
        assert said["Events in the last 24 hours"] == ("0", "")

    def test_whose_last_training_failed_is_told_why(self, overview, trained):
        TrainingRun.objects.create(status="failed", message="No purchases: <b>")
        found = overview()
        assert marks(found)["Last training"] == ("failed", "bad")
        assert "No purchases: &lt;b&gt;" in found.content.decode()

    def test_whose_pictures_failed_is_as_good_as_before(self, overview, trained):
        TrainingRun.objects.create(kind="pictures", status="failed")
        assert marks(overview())["Last training"][1] == "good"


class TestEvents:
    @pytest.mark.parametrize(
        ("today", "before", "state"),
        [
            (5, {1.5: 10}, "good"),
            (4, {1.5: 10}, "weak"),
            (0, {1.5: 10}, "bad"),
            # Days before the first say nothing; quiet ones between say something.
            (5, {1.5: 10, 2.5: 10, 6.5: 4}, "good"),
            (2, {1.5: 10, 3.5: 2}, "good"),
            (1, {1.5: 10, 3.5: 2}, "weak"),
            (3, {}, ""),
            (3, {9.5: 1_000}, ""),
        ],
        ids=str,
    )
    def test_are_few_below_half_of_what_is_usual(self, overview, db, today, before, state):
        for days, count in before.items():
            happen(count, days)
        happen(today)
        assert marks(overview())["Events in the last 24 hours"] == (str(today), state)

    def test_are_counted_once_a_minute(self, db):
        happen(3)
        first = health().activity
        happen(3)
        assert health().activity == first
        cache.clear()
        assert health().activity.today == 6

    def test_that_wait_or_were_left_out_are_told(self, noon, overview, db):
        visitor = Visitor.objects.create(key="0" * 64)
        HeldEvent.objects.bulk_create(
            HeldEvent(external_id="?", visitor=visitor, kind="view_item", time=timezone.now(), key=f"k{n}")
            for n in range(3)
        )
        Omission.objects.create(day=timezone.localdate(), reason="bot", count=1_200)
        Omission.objects.create(day=timezone.localdate() - timedelta(days=6), reason="staff", count=7)
        Omission.objects.create(day=timezone.localdate() - timedelta(days=9), reason="staff", count=900)
        found = overview()
        assert marks(found)["Events waiting for a product"] == ("3", "weak")
        assert [(str(label), count) for label, count in found.context["omitted"]] == [
            ("bot", "1,200"),
            ("shop staff", "7"),
        ]

    def test_that_wait_in_a_redis_that_does_not_answer_are_to_be_acted_on(self, overview, db):
        with override_ecomrec(SINK="ecomrec_django.tracking.redis_sink.RedisSink", REDIS="redis://127.0.0.1:1/0"):
            assert marks(overview())["Events waiting in Redis"] == ("Redis is not responding", "bad")
        assert "Events waiting in Redis" not in marks(overview())

    def test_and_lists_are_counted_up_to_a_bound(self, overview, planted, monkeypatch):
        monkeypatch.setattr(looking, "MAX_COUNT", 1)
        monkeypatch.setattr("ecomrec_django.admin.overview.MAX_COUNT", 1)
        OfferList.objects.update(priority=1.0, unreviewed=["P5"])
        assert marks(overview())["Review queue"] == ("1+", "")


class TestFigures:
    def test_are_shown_to_who_may_see_what_offers_earn(self, noon, overview, db):
        DailyFigure.objects.create(
            day=timezone.localdate(),
            strategy="bought_with",
            impressions=200,
            clicks=20,
            cart_adds=4,
            orders=2,
            revenue=9,
        )
        assert "funnel" not in overview().context
        funnel = overview("view_dailyfigure").context["funnel"]
        assert [[cell.text for cell in row.cells] for row in funnel.rows][:2] == [
            ["200", "100.00%"],
            ["20", "10.00%"],
        ]

    def test_of_segments_are_shown_to_who_may_see_these(self, overview, db):
        for label, size in enumerate((3, 9, 0)):
            Segment.objects.create(label=label, description=f"S{label}", size=size)
        assert "segments" not in overview().context
        assert [str(one) for one in overview("view_segment").context["segments"]] == ["S1", "S0"]


def test_fifty_of_everything_take_as_many_queries_as_five(superuser_client, planted):
    counts = []
    for start, stop in ((0, 5), (5, 50)):
        grow(planted, start, stop)
        OfferList.objects.filter(release=planted.published).update(priority=1.0, unreviewed=["P5"])
        release = make_release()
        OfferList.objects.create(release=release, strategy="for_you", offers=together("P1"), priority=1.0)
        cache.clear()
        superuser_client.get(OVERVIEW)
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            assert superuser_client.get(OVERVIEW).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 25
