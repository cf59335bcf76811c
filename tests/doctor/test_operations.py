from datetime import timedelta

import pytest
from django.utils import timezone

from ecomrec_django.doctor.findings import Level
from ecomrec_django.doctor.operations import consent, release, schedule
from ecomrec_django.models import Checkpoint, Event, Item, Omission, Publication, Release, TrainingRun
from ecomrec_django.testing import override_ecomrec, publish_offers
from tests.support.verdicts import give_verdict

pytestmark = pytest.mark.django_db


def finding_of(findings, subject):
    (finding,) = [finding for finding in findings if finding.subject == subject]
    return finding


@pytest.mark.parametrize(("days", "level"), [(None, Level.WARNING), (1, Level.OK), (3, Level.WARNING)])
def test_a_job_that_has_not_run_lately_is_a_warning_with_its_command(days, level):
    if days is not None:
        Checkpoint.objects.create(name="catalog")
        Checkpoint.objects.update(updated=timezone.now() - timedelta(days=days))
    finding = finding_of(schedule(), "schedule: catalog")
    assert finding.level is level
    assert finding.remedy == ("" if level is Level.OK else "Run manage.py ecomrec_sync on a schedule.")


def test_a_training_that_failed_is_a_failure_with_its_message():
    TrainingRun.objects.create(status=TrainingRun.Status.FAILED, message="The disk is full.")
    TrainingRun.objects.create(status=TrainingRun.Status.RUNNING)
    finding = finding_of(schedule(), "schedule: training")
    assert finding.level is Level.FAILURE
    assert "The disk is full." in finding.message


@pytest.mark.parametrize(("days", "level"), [(1, Level.OK), (9, Level.WARNING)])
def test_a_training_is_to_be_recent(days, level):
    TrainingRun.objects.create(status=TrainingRun.Status.DONE)
    TrainingRun.objects.update(started=timezone.now() - timedelta(days=days))
    assert finding_of(schedule(), "schedule: training").level is level


def unpublished_release(**values):
    run = TrainingRun.objects.create(status=TrainingRun.Status.DONE)
    return Release.objects.create(run=run, complete=True, **values)


def test_a_release_that_waits_for_its_publication_is_named():
    pk = unpublished_release().pk
    finding = finding_of(release(), "release")
    assert (finding.level, finding.remedy) == (Level.FAILURE, f"Run manage.py ecomrec_publish {pk}.")


def test_a_strategy_that_is_held_back_says_why():
    published = publish_offers({"bought_with": {"A": ["B"]}})
    give_verdict(published, "for_you", reasons="Bestsellers predict more.")
    warning = next(finding for finding in release() if finding.level is Level.WARNING)
    assert warning.message == "its strategy for_you is held back"
    assert warning.remedy.startswith("Bestsellers predict more.")


def test_a_release_without_lists_is_a_failure():
    Publication.objects.create(pk=Publication.CURRENT, release=unpublished_release())
    finding = finding_of(release(), "release")
    assert finding.level is Level.FAILURE
    assert "has no lists" in finding.message


def test_a_model_that_is_not_on_this_machine_is_a_warning():
    published = publish_offers({"bought_with": {"A": ["B"]}})
    assert [finding.level for finding in release()] == [Level.OK]
    Release.objects.filter(pk=published.pk).update(digest="0" * 64)
    finding = finding_of(release(), "model")
    assert finding.level is Level.WARNING
    assert 'Share ECOMREC["ARTIFACTS"]' in finding.remedy


def fails(request):
    raise KeyError("cookie")


def asks(request):
    return Item.objects.exists()


@pytest.mark.parametrize(
    ("function", "level", "message"),
    [(fails, Level.FAILURE, "it fails for a new visitor: KeyError"), (asks, Level.WARNING, "it makes 1 queries")],
)
def test_a_consent_function_that_fails_or_makes_queries_is_found(function, level, message):
    with override_ecomrec(CONSENT=function):
        finding = next(consent())
    assert finding.level is level
    assert finding.message.startswith(message)


def test_consent_is_sound_once_a_shopper_who_agreed_was_recorded():
    item = Item.objects.create(external_id="A", title="A")
    # An order of an account.
    Event.objects.create(kind="purchase", item=item, time=timezone.now())
    assert finding_of(consent(), "consent").message == "no shopper who agreed was recorded yet"
    Omission.objects.create(day=timezone.localdate(), reason=Omission.Reason.REFUSED, count=7)
    assert "7 events of 7 days were ignored" in finding_of(consent(), "consent").message
    Event.objects.create(kind="view_item", item=item, time=timezone.now(), policy="1")
    assert finding_of(consent(), "consent").level is Level.OK
