from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from ecomrec_django.models import Event
from ecomrec_django.privacy.retention import horizon
from tests.privacy.conftest import BEN, people, view

__all__ = ["people"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def purge(capsys, people):
    view(BEN, time=timezone.now() - timedelta(days=2))

    def purge(*arguments: str) -> str:
        call_command("ecomrec_purge", *arguments)
        return capsys.readouterr().out

    return purge


def test_older_rows_are_purged(purge):
    said = purge("--older-than", "10")
    assert said.startswith("Removed data from before")
    assert "11 events, 0 impressions, 0 held events" in said
    assert "11 rows of history files" in said
    assert Event.objects.count() == 1


def test_a_dry_run_says_so_and_removes_nothing(purge):
    said = purge("--older-than", "10", "--dry-run")
    assert said.startswith("Would remove data from before")
    assert "11 events" in said
    assert Event.objects.count() == 12
    assert horizon() is None


@pytest.mark.parametrize("arguments", [[], ["--older-than", "0"], ["--older-than", "soon"]])
def test_days_that_are_missing_or_make_no_sense_are_refused(purge, arguments):
    with pytest.raises(CommandError):
        purge(*arguments)
    assert Event.objects.count() == 12
