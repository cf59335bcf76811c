"""Publishing later: said on a release's page, done by the task and the command."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.utils import timezone

from ecomrec_django.errors import TrainingError
from ecomrec_django.models import Publication, Release
from ecomrec_django.pipeline.publish import publish, publish_due, schedule
from ecomrec_django.tasks import publish_due_task
from tests.support.verdicts import give_verdict

from .conftest import make_release

pytestmark = pytest.mark.urls("tests.admin.urls")

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
RIGHTS = ("view_release", "publish_release")


@pytest.fixture(autouse=True)
def _noon(time_machine):
    time_machine.move_to(NOON, tick=False)


def page(release, name="schedule"):
    return f"/admin/ecomrec/release/{release.pk}/{name}/"


def entered(moment: datetime | None) -> dict[str, str]:
    return {"moment": f"{moment:%Y-%m-%dT%H:%M}" if moment is not None else ""}


def scheduled(release) -> datetime | None:
    return Release.objects.get(pk=release.pk).scheduled_for


def shown() -> Release:
    return Publication.objects.get().release


@pytest.fixture
def due(planted):
    """The candidate, to be published in an hour."""
    schedule(planted.candidate, NOON + timedelta(hours=1))
    return planted.candidate


class TestThePage:
    def test_is_closed_to_who_may_not_publish(self, client, client_with, planted):
        url = page(planted.candidate)
        assert "/admin/login/" in client.get(url)["Location"]
        for rights in ((), ("view_release",)):
            staff = client_with(*rights)
            assert staff.get(url).status_code == 403
            assert staff.post(url, entered(NOON + timedelta(hours=1))).status_code == 403
        assert scheduled(planted.candidate) is None
        assert client_with(*RIGHTS).get(url).status_code == 200

    def test_is_linked_for_who_may_publish_where_there_is_something_to_schedule(self, client_with, planted):
        publisher, viewer = client_with(*RIGHTS), client_with("view_release")
        refused = make_release()
        give_verdict(refused)
        half = make_release()
        Release.objects.filter(pk=half.pk).update(complete=False)
        for client, release, linked in (
            (publisher, planted.candidate, True),
            (viewer, planted.candidate, False),
            (publisher, planted.published, False),
            (publisher, refused, False),
            (publisher, half, False),
        ):
            html = client.get(page(release, "change")).content.decode()
            assert (page(release) in html) is linked

    def test_keeps_the_moment_and_logs_it(self, client_with, planted):
        client = client_with(*RIGHTS)
        moment = NOON + timedelta(days=2, minutes=30)
        response = client.post(page(planted.candidate), entered(moment), follow=True)
        assert scheduled(planted.candidate) == moment
        assert "Scheduled for June 3, 2026, 12:30 p.m." in response.content.decode()
        assert LogEntry.objects.get().change_message.startswith("Scheduled for")
        assert shown() == planted.published
        assert 'value="2026-06-03T' in client.get(page(planted.candidate)).content.decode()

    def test_cancels_with_an_empty_field(self, client_with, due):
        response = client_with(*RIGHTS).post(page(due), entered(None), follow=True)
        assert scheduled(due) is None
        assert "Schedule cancelled" in response.content.decode()

    @pytest.mark.parametrize("passed", [timedelta(0), timedelta(seconds=1), timedelta(days=400)])
    def test_refuses_a_moment_that_has_passed(self, client_with, due, passed):
        response = client_with(*RIGHTS).post(page(due), entered(NOON - passed), follow=True)
        assert [message.level_tag for message in response.context["messages"]] == ["error"]
        assert "This time has passed" in response.content.decode()
        assert scheduled(due) == NOON + timedelta(hours=1)
        assert not LogEntry.objects.exists()

    def test_asks_again_for_what_is_no_moment(self, client_with, due):
        response = client_with(*RIGHTS).post(page(due), {"moment": "soon"})
        assert response.status_code == 200
        assert response.context["form"].errors
        assert scheduled(due) == NOON + timedelta(hours=1)

    @pytest.mark.parametrize("held_back", [True, False])
    def test_refuses_a_release_that_could_not_be_published_then(self, client_with, planted, held_back):
        if held_back:
            give_verdict(planted.candidate)
        else:
            Release.objects.filter(pk=planted.candidate.pk).update(complete=False)
        response = client_with(*RIGHTS).post(page(planted.candidate), entered(NOON + timedelta(hours=1)), follow=True)
        assert [message.level_tag for message in response.context["messages"]] == ["error"]
        assert scheduled(planted.candidate) is None
        with pytest.raises(TrainingError, match="cannot be scheduled"):
            schedule(Release.objects.get(pk=planted.candidate.pk), NOON + timedelta(hours=1))


class TestWhatIsDue:
    @pytest.mark.parametrize("do", [publish_due, publish_due_task])
    def test_is_published_once_its_moment_has_come_and_once_only(self, planted, due, do, time_machine):
        time_machine.move_to(NOON + timedelta(minutes=59), tick=False)
        assert do() == []
        assert shown() == planted.published
        time_machine.move_to(NOON + timedelta(hours=1), tick=False)
        assert do() == [due.pk]
        assert (shown(), scheduled(due)) == (due, None)
        published = Release.objects.get(pk=due.pk).published_at
        assert published == timezone.now()
        time_machine.move_to(NOON + timedelta(hours=2), tick=False)
        assert do() == []
        assert Release.objects.get(pk=due.pk).published_at == published
        assert Publication.objects.get().previous == planted.published

    def test_is_the_newest_of_several(self, planted, due, time_machine):
        newer = make_release()
        schedule(newer, NOON + timedelta(minutes=30))
        time_machine.move_to(NOON + timedelta(hours=1), tick=False)
        assert publish_due() == [newer.pk]
        assert publish_due() == []
        assert (shown(), scheduled(due)) == (newer, None)

    def test_is_not_what_was_published_by_hand_or_cancelled(self, planted, due, time_machine):
        publish(due)
        assert scheduled(due) is None
        other = make_release()
        schedule(other, NOON + timedelta(minutes=30))
        schedule(other, None)
        time_machine.move_to(NOON + timedelta(days=1), tick=False)
        assert publish_due() == []
        assert shown() == due


class TestTheCommand:
    def test_publishes_what_is_due(self, planted, due, capsys, time_machine):
        call_command("ecomrec_publish", "--due")
        assert shown() == planted.published
        time_machine.move_to(NOON + timedelta(hours=1), tick=False)
        call_command("ecomrec_publish", "--due")
        call_command("ecomrec_publish", "--due")
        assert shown() == due
        said = capsys.readouterr().out.splitlines()
        assert said == ["Nothing is due.", f"Release {due.pk} is published.", "Nothing is due."]

    @pytest.mark.parametrize("both", [True, False])
    def test_takes_a_release_or_what_is_due(self, planted, both):
        with pytest.raises(CommandError, match="Give either a release or --due"):
            call_command("ecomrec_publish", *([str(planted.candidate.pk), "--due"] if both else []))
        assert shown() == planted.published
