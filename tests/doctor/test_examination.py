"""A sound shop passes, is left as it was, and what is broken in it is found."""

import json
import logging
from contextlib import nullcontext

import pytest
from django import shortcuts
from django.core.management import CommandError, call_command

from ecomrec_django.doctor import examination, pages
from ecomrec_django.doctor.examination import examine_installation
from ecomrec_django.doctor.findings import Level
from ecomrec_django.failures import note_failure
from ecomrec_django.models import Checkpoint, Event, Exposure, Impression, Omission, Publication, Visitor
from ecomrec_django.testing import override_ecomrec
from ecomrec_django.tracking.consent import opt_out
from ecomrec_django.tracking.omissions import flush_omissions
from example_shop.models import Category
from example_shop.recommendations import ShopCatalog
from tests.support.rows import stored_rows

pytestmark = pytest.mark.django_db

# What a shop on a developer's machine lacks.
MISSING = ["ecomrec.W039", "schedule: attribution", "schedule: purged", "consent"]


class BrokenCatalog(ShopCatalog):
    def url(self, product):
        raise LookupError("no page")


def subjects(level):
    return [finding.subject for finding in examine_installation() if finding.level is level]


@pytest.mark.usefixtures("trained_shop")
def test_a_sound_shop_has_no_failure(capsys):
    call_command("ecomrec_doctor")
    output = capsys.readouterr().out
    assert "ok       page: /product/tent/ shows a block" in output
    assert "warning  schedule: purged: it never ran\n         → Run manage.py ecomrec_purge" in output
    assert output.endswith("0 failures, 4 warnings.\n")
    assert subjects(Level.WARNING) == MISSING


@pytest.mark.usefixtures("trained_shop")
def test_a_failure_is_said_with_its_remedy_and_makes_exit_status_1(capsys):
    with override_ecomrec(CATALOG=BrokenCatalog), pytest.raises(CommandError) as caught:
        call_command("ecomrec_doctor")
    assert caught.value.returncode == 1
    output = capsys.readouterr().out
    assert "failure  url: product tent: LookupError: no page (at " in output
    assert "         → Name a URL that exists" in output


@pytest.mark.usefixtures("trained_shop")
def test_findings_are_written_as_json(capsys):
    call_command("ecomrec_doctor", json=True)
    findings = json.loads(capsys.readouterr().out)
    assert {"subject": "page", "level": "ok", "message": "/product/tent/ shows a block", "remedy": ""} in findings
    assert [finding["subject"] for finding in findings if finding["level"] == "warning"] == MISSING


def test_json_is_complete_where_something_fails(capsys):
    with pytest.raises(CommandError):
        call_command("ecomrec_doctor", json=True)
    findings = json.loads(capsys.readouterr().out)
    assert [finding["subject"] for finding in findings if finding["level"] == "failure"] == ["release"]


@pytest.mark.usefixtures("trained_shop")
def test_nothing_is_written():
    before = stored_rows()
    assert subjects(Level.FAILURE) == []
    flush_omissions(now=True)
    assert stored_rows() == before
    assert not Omission.objects.exists()
    assert not Checkpoint.objects.filter(name__startswith="doctor").exists()


@pytest.mark.usefixtures("trained_shop")
def test_what_the_page_of_a_product_writes_is_taken_back(monkeypatch):
    def render(*arguments, **options):
        Category.objects.create(name="Visited", slug="visited")
        visits.append(arguments)
        return shortcuts.render(*arguments, **options)

    visits = []
    monkeypatch.setattr("example_shop.views.catalog.render", render)
    assert subjects(Level.FAILURE) == []
    assert visits
    assert not Category.objects.filter(slug="visited").exists()


@pytest.mark.usefixtures("trained_shop")
def test_nobody_is_recorded_even_where_shoppers_need_not_agree(monkeypatch):
    monkeypatch.setattr(pages, "rolled_back", nullcontext)
    monkeypatch.setattr("ecomrec_django.tracking.middleware.is_bot", lambda agent: False)
    with override_ecomrec(CONSENT=opt_out):
        assert subjects(Level.FAILURE) == []
    assert not Exposure.objects.exists()
    assert not Impression.objects.exists()
    assert not Event.objects.filter(kind="view_item").exists()


class NoisyCatalog(ShopCatalog):
    def format_price(self, price, request):
        raise LookupError("no currency")

    def purchases(self, since):
        return [each._replace(quantity=0) for each in super().purchases(since)]


@pytest.mark.usefixtures("trained_shop")
def test_what_fails_meanwhile_is_a_finding_and_not_logged(caplog):
    caplog.set_level(logging.DEBUG)
    with override_ecomrec(CATALOG=NoisyCatalog):
        assert set(subjects(Level.FAILURE)) == {"format_price", "purchases", "page"}
    assert not [record for record in caplog.records if record.name.startswith("ecomrec_django")]
    note_failure("cache", LookupError())
    assert "LookupError" in caplog.text


def test_a_new_shop_is_told_what_to_do_next(settings):
    settings.ECOMREC = {key: value for key, value in settings.ECOMREC.items() if key != "CONSENT"}
    remedies = {finding.subject: finding.remedy for finding in examine_installation() if finding.level is not Level.OK}
    assert remedies["release"] == "Run manage.py ecomrec_train --publish."
    assert remedies["products"] == "Add products, or correct ShopCatalog.products."
    assert remedies["schedule: catalog"] == "Run manage.py ecomrec_sync on a schedule."
    assert "ecomrec_django.tracking.consent.agree" in remedies["consent"]
    assert "ecomrec.I037" in remedies
    assert not Visitor.objects.exists()
    assert not Publication.objects.exists()


def test_a_part_that_fails_on_its_own_is_a_finding(monkeypatch):
    def broken():
        raise ZeroDivisionError("planted")
        yield

    monkeypatch.setattr(examination, "cache", broken)
    (finding,) = [finding for finding in examine_installation() if finding.subject == "broken"]
    assert finding.message.startswith("it could not be examined: ZeroDivisionError: planted (at ")
