import pytest
from django.core.management import CommandError, call_command

from ecomrec_django.errors import TrainingError
from ecomrec_django.models import Item, OfferList, Publication, Release, TrainingRun
from ecomrec_django.pipeline.lock import only_one
from ecomrec_django.pipeline.publish import prune, publish, rollback
from ecomrec_django.tasks import run_training
from tests.threads import raised_in_a_thread

pytestmark = pytest.mark.django_db


def release(complete: bool = True) -> Release:
    run = TrainingRun.objects.create(status=TrainingRun.Status.DONE)
    made = Release.objects.create(run=run, complete=complete)
    item, _ = Item.objects.get_or_create(external_id="a", defaults={"title": "A", "fingerprint": ""})
    OfferList.objects.create(release=made, strategy="bought_with", anchor=item, offers="[]")
    return made


def shown() -> Release:
    return Publication.objects.get().release


def test_publishing_moves_the_one_pointer():
    first, second = release(), release()
    publish(first)
    publish(second)
    assert shown() == second
    assert Publication.objects.get().previous == first
    second.refresh_from_db()
    assert second.published_at


def test_publishing_what_is_published_keeps_the_way_back():
    first, second = release(), release()
    for one in (first, second, second):
        publish(one)
    assert Publication.objects.get().previous == first


def test_an_incomplete_release_is_refused():
    first = release()
    publish(first)
    with pytest.raises(TrainingError, match="not complete"):
        publish(release(complete=False))
    assert shown() == first


def test_rolling_back_goes_one_further_each_time():
    made = [release() for _ in range(3)]
    for one in made:
        publish(one)
    assert rollback() == made[1]
    assert rollback() == made[0]
    with pytest.raises(TrainingError, match="no release before"):
        rollback()
    assert shown() == made[0]


def test_nothing_published_is_said():
    with pytest.raises(CommandError, match="Nothing is published"):
        call_command("ecomrec_rollback")


def test_an_unknown_release_is_said_with_those_there_are():
    known = release()
    with pytest.raises(CommandError, match=f"no release 999999. Complete releases: {known.pk}"):
        call_command("ecomrec_publish", "999999")
    call_command("ecomrec_publish", str(known.pk))
    assert shown() == known


def test_old_releases_go_but_never_the_published_or_the_previous(settings):
    settings.ECOMREC = {**settings.ECOMREC, "RELEASES_KEPT": 2}
    made = [release() for _ in range(6)]
    half = release(complete=False)
    publish(made[0])
    publish(made[1])
    assert prune() == 3
    assert set(Release.objects.all()) == {made[0], made[1], made[4], made[5]}
    assert not OfferList.objects.filter(release=half).exists()


def test_only_one_training_runs_at_a_time(shop, monkeypatch):
    with only_one():
        refused = raised_in_a_thread(run_training)
    assert isinstance(refused, TrainingError)
    assert "Another training is running" in str(refused)
