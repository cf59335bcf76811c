import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

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


def refused() -> Release:
    made = release()
    made.refused = "nDCG fell from 0.250 to 0.200."
    made.save()
    return made


@pytest.mark.parametrize("note", ["", "  ", "x" * 256])
def test_a_refused_release_is_not_published_without_a_note_that_can_be_kept(note):
    first = release()
    publish(first)
    with pytest.raises(TrainingError, match=r"refused by its evaluation: nDCG fell|at most 255"):
        publish(refused(), note=note)
    assert shown() == first


def test_who_overrules_a_refusal_and_why_is_kept(admin_user):
    made = refused()
    publish(made, overruled_by=admin_user, note=" A new season. ")
    made.refresh_from_db()
    assert (made.overruled_by, made.overruled_note) == (admin_user, "A new season.")
    assert shown() == made


def test_a_note_on_a_release_that_was_not_refused_is_not_kept(admin_user):
    made = release()
    publish(made, overruled_by=admin_user, note="Just because.")
    made.refresh_from_db()
    assert (made.overruled_by, made.overruled_note) == (None, "")


def test_the_command_refuses_too_and_overrules_with_a_note():
    made = refused()
    with pytest.raises(CommandError, match=f"ecomrec_publish {made.pk} --overrule NOTE"):
        call_command("ecomrec_publish", made.pk)
    call_command("ecomrec_publish", made.pk, overrule="A new season.")
    made.refresh_from_db()
    assert (made.overruled_by, made.overruled_note) == (None, "A new season.")
    assert shown() == made


def test_what_a_pruned_release_foretold_stays_with_its_run(settings):
    settings.ECOMREC = {**settings.ECOMREC, "RELEASES_KEPT": 1}
    old, plain = release(), release()
    old.evaluation = {"methods": {"bought_with": {"coverage": 0.5}}, "signals": {"bought_with": [["chance", 1.0]]}}
    old.save()
    TrainingRun.objects.filter(pk=old.run_id).update(metrics={"items": 3})
    release()
    assert prune() == 2
    kept = {"methods": {"bought_with": {"coverage": 0.5}}, "release": old.pk}
    assert TrainingRun.objects.get(pk=old.run_id).metrics == {"items": 3, "evaluation": kept}
    assert TrainingRun.objects.get(pk=plain.run_id).metrics == {}


def test_lists_are_pruned_without_being_loaded_and_no_page_is_told(django_capture_on_commit_callbacks):
    publish(release())

    def pruned(lists: int) -> int:
        old = release(complete=False)
        for number in range(lists):
            item = Item.objects.create(external_id=f"{old.pk}-{number}", title="A", fingerprint="")
            OfferList.objects.create(release=old, strategy="bought_with", anchor=item, offers="[]")
        with django_capture_on_commit_callbacks() as told, CaptureQueriesContext(connection) as queries:
            assert prune() == 1
        assert not told
        assert not [one for one in queries.captured_queries if '"offers"' in one["sql"] or "`offers`" in one["sql"]]
        return len(queries)

    pruned(1)
    assert pruned(2) == pruned(40)
