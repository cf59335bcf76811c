"""Experiments in the admin: drafted, started, read, switched and ended."""

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from ecomrec_django.models import Arm, Experiment

pytestmark = pytest.mark.urls("tests.admin.urls")
ADD = "/admin/ecomrec/experiment/add/"
RESULTS = {
    "evaluated": "2026-06-01T00:00:00+00:00",
    "mismatch": 0.5,
    "left_out": 2,
    "incremental": {"mean": 900.0, "low": -20.0, "high": 1800.0},
    "arms": [],
    "policies": {},
}


@pytest.fixture(autouse=True)
def _host(integer_key_shop):
    pass


def entered(arms=(("as it is", "{}"), ("six", '{"limit": 6}')), **fields):
    rows = {}
    for number, (name, options) in enumerate(arms):
        rows |= {f"arms-{number}-name": name, f"arms-{number}-options": options, f"arms-{number}-weight": "1"}
    management = {"arms-TOTAL_FORMS": len(arms), "arms-INITIAL_FORMS": 0}
    known = {"name": "More offers", "slot": "product", "mode": "split", "objective": "revenue", "holdout": "0.1"}
    return {**known, **rows, **management, **fields}


def page_of(experiment, name="change"):
    return reverse(f"admin:ecomrec_experiment_{name}", args=[experiment.pk])


@pytest.fixture
def draft():
    experiment = Experiment.objects.create(name="More offers", slot="product")
    for name, options in (("as it is", {}), ("six", {"limit": 6})):
        Arm.objects.create(experiment=experiment, name=name, options=options)
    return experiment


@pytest.fixture
def running(draft, superuser_client):
    superuser_client.post(page_of(draft, "start"))
    draft.refresh_from_db()
    first, second, holdout = draft.arms.all()
    rows = [
        {
            "arm": arm.pk,
            "name": arm.name,
            "holdout": arm.is_holdout,
            "days": 900,
            "visitors": 800,
            "clicks": 40,
            "orders": 9,
            "revenue": 123.5,
            "margin": 60,
            "spent": {"mean": 5.0, "error": 0.5},
            "against_holdout": {"mean": 1.5, "low": 0.5, "high": 2.5, "p": 0.01},
        }
        for arm in (first, second, holdout)
    ]
    rows[1]["against_first"] = {"mean": -0.5, "low": -1.0, "high": 0.2, "p": 0.4}
    estimate = {"value": 0.5, "low": 0.4, "high": 0.6, "effective": 300.0}
    policies = {
        str(first.pk): {"snips": estimate, "doubly_robust": estimate},
        str(second.pk): {"refused": "100 visitor-days are too few"},
    }
    draft.results = {**RESULTS, "arms": rows, "policies": policies}
    draft.save()
    return draft


def test_a_draft_is_entered_with_its_arms(superuser_client):
    assert superuser_client.post(ADD, entered()).status_code == 302
    experiment = Experiment.objects.get()
    assert (experiment.status, experiment.holdout) == ("draft", 0.1)
    assert [(arm.name, arm.options) for arm in experiment.arms.all()] == [("as it is", {}), ("six", {"limit": 6})]


@pytest.mark.parametrize(
    ("arms", "fields", "said"),
    [
        ([("a", '{"limits": 6}')], {}, "Unknown option"),
        ([("a", '{"chain": ["gone"]}')], {}, "Unknown strategy"),
        ([("a", "[1]")], {}, "Enter a JSON object"),
        ([("a", "{")], {}, "Enter a valid JSON"),
        ([("a", "{}"), ("a", "{}")], {}, "duplicate"),
        ([], {"holdout": "0.9"}, "less than or equal to 0.5"),
        ([], {"holdout": "nan"}, "Enter a number"),
        ([], {"slot": "cellar"}, "Select a valid choice"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(superuser_client, arms, fields, said):
    answer = superuser_client.post(ADD, entered(arms, **fields))
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert not Experiment.objects.exists()


def test_a_draft_is_started_and_its_arms_are_fixed_from_then_on(superuser_client, draft):
    assert "Start this experiment" in superuser_client.get(page_of(draft)).content.decode()
    answer = superuser_client.post(page_of(draft, "start"), follow=True).content.decode()
    assert "Started: More offers." in answer
    assert "End this experiment" in answer
    assert 'name="arms-0-options"' not in answer
    assert LogEntry.objects.get().get_change_message() == "Started"
    draft.refresh_from_db()
    assert draft.status == "running"
    again = superuser_client.post(page_of(draft, "start"), follow=True).content.decode()
    assert "Only a draft can be started" in again


def test_the_page_tells_what_was_found_and_how_sure_it_is(superuser_client, running):
    page = superuser_client.get(page_of(running)).content.decode()
    for text in (
        "not significant",
        "+1.50 (+0.50 … +2.50), significant",
        "-0.50 (-1.00 … +0.20), not significant",
        "0.5000 (0.4000 … 0.6000)",
        "Show “as it is” to everyone",
        "100 visitor-days are too few",
        "excludes 2 visitor-days of visitors who saw several arms",
    ):
        assert text in page
    assert "Show “six” to everyone" not in page
    assert "are not valid" not in page
    running.results = {**running.results, "mismatch": 1e-6}
    running.save()
    assert "The results of this experiment are not valid" in superuser_client.get(page_of(running)).content.decode()


def test_figures_that_another_version_wrote_break_nothing(superuser_client, running):
    for results in ({"arms": [{"name": None, "spent": "x"}]}, {"arms": [], "policies": 3, "mismatch": "x"}, {"x": 1}):
        running.results = results
        running.save()
        assert superuser_client.get(page_of(running)).status_code == 200


def test_a_switch_without_evidence_is_refused_in_words(superuser_client, running):
    arm = running.arms.first()
    answer = superuser_client.post(page_of(running, "switch"), {"arm": arm.pk}, follow=True).content.decode()
    assert "No visitors have seen this experiment yet" in answer
    for wrong in ("", "x", "999999"):
        answer = superuser_client.post(page_of(running, "switch"), {"arm": wrong}, follow=True).content.decode()
        assert "There is no such arm" in answer


def test_a_running_experiment_is_ended(superuser_client, running):
    answer = superuser_client.post(page_of(running, "end"), follow=True).content.decode()
    assert "Ended: More offers." in answer
    running.refresh_from_db()
    assert running.status == "ended"


@pytest.mark.parametrize("act", ["start", "end", "switch"])
def test_acts_need_the_right_to_run_and_a_post(client, client_with, superuser_client, draft, act):
    url = page_of(draft, act)
    assert "/admin/login/" in client.post(url)["Location"]
    assert client_with("view_experiment", "change_experiment").post(url).status_code == 403
    assert client_with("run_experiment").post(url).status_code == 403
    assert superuser_client.get(url).status_code == 405
    guarded = client_with("view_experiment", "run_experiment", enforce_csrf_checks=True)
    assert guarded.post(url).status_code == 403
    draft.refresh_from_db()
    assert draft.status == "draft"


def test_viewers_see_no_buttons(client_with, running):
    page = client_with("view_experiment").get(page_of(running)).content.decode()
    for text in ("End this experiment", "to everyone", 'name="holdout"'):
        assert text not in page
    assert "Results so far" in page
