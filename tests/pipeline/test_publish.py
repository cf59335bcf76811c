from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ecomrec_django.errors import TrainingError
from ecomrec_django.locks import exclusive
from ecomrec_django.models import Item, OfferList, Publication, Release, TrainingRun
from ecomrec_django.pipeline.publish import prune, publish, publish_due, rollback, schedule
from ecomrec_django.tasks import run_training
from tests.support.threads import raised_in_a_thread
from tests.support.verdicts import give_verdict

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


def test_rollback_without_a_publication_is_reported():
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


def test_only_one_training_runs_at_a_time(planted_shop, monkeypatch):
    with exclusive():
        refused = raised_in_a_thread(run_training)
    assert isinstance(refused, TrainingError)
    assert "Another training is running" in str(refused)


def refused() -> Release:
    made = release()
    give_verdict(made)
    return made


def partly_refused() -> Release:
    made = refused()
    give_verdict(made, "for_you", outcome="passed", reasons="")
    return made


def shown_lists() -> dict[str, int]:
    """Release.pk of the lists that pages show, by strategy; 0 for none."""
    release = Publication.objects.get().release
    rows = Release.objects.filter(pk=release.pk)
    return {
        strategy: rows.values_list(Publication.objects.shown_release(strategy), flat=True).get()
        for strategy in ("bought_with", "for_you")
    }


@pytest.mark.parametrize("note", ["", "  ", "x" * 256])
def test_publishing_a_refused_release_needs_a_note(note):
    first = release()
    publish(first)
    with pytest.raises(TrainingError, match=r"held back by its evaluation: nDCG fell|the limit is 255"):
        publish(refused(), note=note)
    assert shown() == first


def test_overruling_stores_user_and_note(admin_user):
    made = refused()
    publish(made, overruled_by=admin_user, note=" A new season. ")
    verdict = made.verdicts.get()
    assert (verdict.outcome, verdict.overruled_by, verdict.overruled_note) == (
        "overruled",
        admin_user,
        "A new season.",
    )
    assert shown() == made


def test_a_note_on_a_strategy_that_passed_is_not_kept(admin_user):
    made = release()
    give_verdict(made, outcome="passed", reasons="")
    publish(made, overruled_by=admin_user, note="Just because.")
    verdict = made.verdicts.get()
    assert (verdict.outcome, verdict.overruled_by, verdict.overruled_note) == ("passed", None, "")


def test_the_command_refuses_too_and_overrules_with_a_note():
    made = refused()
    with pytest.raises(CommandError, match=f"ecomrec_publish {made.pk} --overrule NOTE"):
        call_command("ecomrec_publish", made.pk)
    call_command("ecomrec_publish", made.pk, overrule="A new season.")
    verdict = made.verdicts.get()
    assert (verdict.overruled_by, verdict.overruled_note) == (None, "A new season.")
    assert shown() == made


class TestAReleaseThatIsHeldBackInPart:
    def test_shows_the_former_lists_of_what_is_held_back(self):
        first, second = release(), partly_refused()
        publish(first)
        publish(second)
        assert shown() == second
        assert shown_lists() == {"bought_with": first.pk, "for_you": second.pk}
        assert set(OfferList.objects.filter(second.shown())) == set(first.lists.all())

    def test_shows_nothing_of_it_where_nothing_was_shown(self):
        made = partly_refused()
        publish(made)
        assert shown_lists() == {"bought_with": 0, "for_you": made.pk}
        assert not OfferList.objects.filter(made.shown()).exists()

    def test_passes_on_what_an_earlier_one_held_back(self):
        made = [release(), partly_refused(), partly_refused()]
        for one in made:
            publish(one)
        assert shown_lists() == {"bought_with": made[0].pk, "for_you": made[2].pk}

    def test_is_rolled_back_to_with_what_it_showed(self):
        first, second, third = release(), partly_refused(), release()
        for one in (first, second, third):
            publish(one)
        assert shown_lists() == {"bought_with": third.pk, "for_you": third.pk}
        rollback()
        assert shown_lists() == {"bought_with": first.pk, "for_you": second.pk}

    def test_keeps_the_release_whose_lists_it_shows(self, settings):
        settings.ECOMREC = {**settings.ECOMREC, "RELEASES_KEPT": 1}
        made = [release(), release(), partly_refused(), partly_refused(), partly_refused()]
        for one in made[1:]:
            publish(one)
        prune()
        assert set(Release.objects.all()) == {made[1], made[3], made[4]}
        publish(release())
        publish(release())
        prune()
        assert made[1] not in set(Release.objects.all())

    def test_shows_all_of_its_own_once_it_is_overruled(self, admin_user, django_capture_on_commit_callbacks):
        first, second = release(), partly_refused()
        publish(first)
        publish(second)
        with django_capture_on_commit_callbacks() as told:
            publish(second, overruled={"bought_with"}, overruled_by=admin_user, note="A new season.")
        assert shown_lists() == {"bought_with": second.pk, "for_you": second.pk}
        assert Publication.objects.get().previous == first
        assert told

    def test_can_be_scheduled(self, time_machine):
        made = partly_refused()
        schedule(made, timezone.now() + timedelta(hours=1))
        time_machine.move_to(timezone.now() + timedelta(hours=2))
        assert publish_due() == [made.pk]


def test_the_evaluation_of_a_pruned_release_stays_with_its_run(settings):
    settings.ECOMREC = {**settings.ECOMREC, "RELEASES_KEPT": 1}
    old, plain = release(), release()
    old.evaluation = {"methods": {"bought_with": {"coverage": 0.5}}, "signals": {"bought_with": [["probability", 1.0]]}}
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
