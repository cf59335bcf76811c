import pytest
from django.core.management import CommandError, call_command

from ecomrec_django.errors import TrainingError
from ecomrec_django.models import Item, OfferList, Publication, Release, TrainingRun
from ecomrec_django.pipeline import train as training
from ecomrec_django.strategies.base import EVIDENCE, Reason, decode_offers
from ecomrec_django.tasks import run_training
from tests.support.planted_shop import facts, line

pytestmark = pytest.mark.django_db


@pytest.fixture
def stocked(planted_shop):
    planted_shop.facts = [facts("a"), facts("b"), facts("c", "A > C")]
    planted_shop.lines = [line(1, "a"), line(2, "b")]
    return planted_shop


def test_a_training_walks_from_orders_to_a_published_release(stocked):
    seen = []
    run = run_training(publish=True, progress=lambda stage, percent: seen.append((stage, percent)))

    assert run.status == TrainingRun.Status.DONE
    assert run.percent == 100
    assert Publication.objects.get().release == run.release
    assert run.metrics["events"] == 2
    assert run.release.metrics == {"next_item": {"lists": 3, "category_lists": 2, "offers": 5, "expected_margin": 0.0}}
    offers = decode_offers(OfferList.objects.get(anchor__external_id="a").offers)
    assert [(o.item, o.reason, o.score) for o in offers] == [("b", Reason.TOGETHER, 0.1235)]
    assert offers[0].aisle == Item.objects.get(external_id="b").category.aisle_id
    assert offers[0].evidence == tuple(range(len(EVIDENCE[Reason.TOGETHER])))
    assert [stage for stage, _ in seen[:2]] == ["catalog", "catalog"]
    assert [percent for _, percent in seen] == sorted(percent for _, percent in seen)


@pytest.mark.parametrize(
    "place", ["export_history", "items_table", "encode_lists", "bulk_insert", "prune"], ids=lambda place: f"in {place}"
)
def test_a_failure_at_any_stage_leaves_the_published_release(stocked, monkeypatch, place):
    first = run_training(publish=True).release

    def fail(*args, **kwargs):
        raise OSError("the disk is full")

    monkeypatch.setattr(training, place, fail)
    with pytest.raises(TrainingError, match="the disk is full"):
        run_training(publish=place != "prune")

    run = TrainingRun.objects.first()
    assert run.status == TrainingRun.Status.FAILED
    assert "the disk is full" in run.message
    assert Publication.objects.get().release == first
    assert first.lists.count() == 5


def test_a_broken_strategy_fails_the_run_by_name(stocked, settings):
    settings.ECOMREC = {**settings.ECOMREC, "STRATEGIES": {"broken": "tests.support.planted_shop.Broken"}}
    with pytest.raises(TrainingError, match="“broken”: ZeroDivisionError: planted"):
        run_training(publish=True)
    assert not Release.objects.exists()


def test_a_run_whose_process_was_killed_is_marked_failed_by_the_next(stocked):
    dead = TrainingRun.objects.create(stage="lists")
    half = Release.objects.create(run=dead)
    run_training()
    dead.refresh_from_db()
    assert dead.status == TrainingRun.Status.FAILED
    assert dead.finished
    assert not Release.objects.filter(pk=half.pk).exists()


def test_a_shop_without_products_gets_a_release_and_a_clear_word(planted_shop):
    run = run_training(publish=True)
    assert run.release.complete
    assert "no products" in run.message


def test_a_shop_without_orders_learns_from_its_catalog(stocked):
    stocked.lines = []
    run = run_training(publish=True)
    assert run.release.lists.count() == 5
    assert "no orders" in run.message


def test_an_empty_release_does_not_replace_a_full_one(stocked, settings):
    first = run_training(publish=True).release
    settings.ECOMREC = {**settings.ECOMREC, "STRATEGIES": {}}
    run = run_training(publish=True)
    assert Publication.objects.get().release == first
    assert "Not published" in run.message


@pytest.mark.parametrize("text", ["", "yesterday", "2017-13-01", "2017-02-30T10:00"])
def test_an_until_that_is_no_time_is_refused(stocked, text):
    with pytest.raises(CommandError, match="not an ISO 8601 time"):
        call_command("ecomrec_train", f"--until={text}")
    assert not TrainingRun.objects.exists()


def test_an_until_without_a_zone_is_utc(stocked):
    call_command("ecomrec_train", "--until=2017-03-01T10:00:00")
    assert TrainingRun.objects.get().until.isoformat() == "2017-03-01T10:00:00+00:00"
