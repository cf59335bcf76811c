"""What a release foretold, how releases compare, and how a refused one is published all the same."""

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ecomrec_django.admin.signal_labels import LABELS
from ecomrec_django.learning.signals import NAMES
from ecomrec_django.models import Publication, Release, TrainingRun
from ecomrec_django.pipeline.publish import prune, rollback

from .conftest import make_release
from .test_segments import Tables

pytestmark = pytest.mark.urls("tests.admin.urls")

METRICS = "/admin/ecomrec/release/metrics/"


def interval(mean):
    return {"mean": mean, "low": mean - 0.01, "high": mean + 0.01}


def evaluation(ndcg=0.2):
    return {
        "from": "2026-10-01T00:00:00+00:00",
        "to": "2026-10-28",
        "k": 10,
        "tasks": {"bought_with": {"cases": 3821, "customers": 412}},
        "methods": {
            "bought_with": {"ndcg": interval(ndcg), "hit": interval(0.5), "coverage": 0.25},
            "bought_with:popularity": {"ndcg": interval(0.1), "revenue": {"mean": 12.5}},
            "for_you:personal": {"ndcg": interval(0.3)},
        },
        "signals": {"bought_with": [["chance", 0.1], ["own_share", 0.31], ["brand_new", 0.2]], "for_you": []},
    }


@pytest.fixture
def evaluated(planted):
    Release.objects.filter(pk=planted.candidate.pk).update(evaluation=evaluation())
    return planted.candidate


@pytest.fixture
def refused(evaluated):
    Release.objects.filter(pk=evaluated.pk).update(refused="nDCG fell from 0.250 to 0.200.")
    return evaluated


def page(release, name="change"):
    return f"/admin/ecomrec/release/{release.pk}/{name}/"


def html(client, url):
    return client.get(url).content.decode()


def test_every_method_stands_with_every_metric_and_its_interval(superuser_client, evaluated):
    rows = Tables(html(superuser_client, page(evaluated))).rows
    assert ["Method", "nDCG", "Hit rate", "Revenue", "Coverage"] in rows
    assert ["Bought with", "0.200 (0.190 – 0.210)", "50 % (49 % – 51 %)", "–", "25 %"] in rows
    assert ["Bought with: popularity", "0.100 (0.090 – 0.110)", "–", "12.50", "–"] in rows


def test_the_drawn_cells_carry_value_and_interval(superuser_client, evaluated):
    tags = Tables(html(superuser_client, page(evaluated))).tags
    drawn = [attributes for _tag, attributes in tags if "data-low" in attributes]
    assert [float(drawn[0][f"data-{name}"]) for name in ("value", "low", "high")] == pytest.approx([0.2, 0.19, 0.21])


def test_it_is_said_what_was_asked(superuser_client, evaluated):
    text = html(superuser_client, page(evaluated))
    for said in ("Oct. 1, 2026", "Oct. 28, 2026", "The first 10 offers count.", "3,821 cases of 412 customers."):
        assert said in text


def test_signals_come_strongest_first_under_readable_names(superuser_client, evaluated):
    rows = Tables(html(superuser_client, page(evaluated))).rows
    at = rows.index(["Signal", "Mean contribution to the log-odds"])
    assert rows[at + 1 : at + 4] == [
        ["Share of own orders with it", "0.310"],
        ["brand_new", "0.200"],
        ["Bought with this item", "0.100"],
    ]


def test_every_signal_that_is_learned_from_has_a_name_of_its_own():
    assert set(LABELS) == set(NAMES)
    assert len({str(label) for label in LABELS.values()}) == len(NAMES)


def test_a_release_that_was_not_evaluated_says_so(superuser_client, planted):
    assert "It was not evaluated" in html(superuser_client, page(planted.candidate))
    assert "No release has been evaluated yet" in html(superuser_client, METRICS)


@pytest.mark.parametrize(
    "given",
    [
        {"methods": {}},
        {"methods": {"bought_with": {}}, "tasks": {"bought_with": {}}, "k": None},
        {"methods": {"bought_with": {"ndcg": None, "hit": {"mean": "?"}}}, "signals": {"for_you": [[1], ["a", None]]}},
        {"methods": [], "signals": [], "tasks": [], "from": "soon", "to": 3},
        {"from": "2026-99-99", "to": "2026-10-28"},
    ],
)
def test_anything_may_be_missing_from_an_evaluation(superuser_client, planted, given):
    Release.objects.filter(pk=planted.candidate.pk).update(evaluation=given)
    for url in (page(planted.candidate), METRICS, "/admin/ecomrec/release/"):
        assert superuser_client.get(url).status_code == 200


def test_the_history_has_a_chart_for_each_strategy_oldest_release_first(superuser_client, planted):
    for release, ndcg in ((planted.first, 0.1), (planted.candidate, 0.3)):
        Release.objects.filter(pk=release.pk).update(evaluation=evaluation(ndcg))
    charts = superuser_client.get(METRICS).context["charts"]
    assert [chart.caption.split(":")[0] for chart in charts] == ["Bought with", "For you"]
    assert [[row.title, row.cells[0].value] for row in charts[0].rows] == [
        [f"Release {planted.first.pk}", 0.1],
        [f"Release {planted.candidate.pk}", 0.3],
    ]


@pytest.mark.parametrize(("asked", "label"), [("hit", "Hit rate"), ("", "nDCG"), ("coverage", "nDCG"), ("<b>", "nDCG")])
def test_the_metric_is_chosen_by_a_link(superuser_client, evaluated, asked, label):
    response = superuser_client.get(METRICS, {"metric": asked})
    assert response.context["charts"][0].caption.startswith(f"Bought with: {label} of each release")
    assert "charts.js" in response.content.decode()


def test_the_history_remembers_releases_that_are_gone(superuser_client, planted, settings):
    settings.ECOMREC = {**settings.ECOMREC, "RELEASES_KEPT": 1}
    gone = make_release()
    Release.objects.filter(pk=gone.pk).update(evaluation=evaluation(0.4))
    make_release()
    prune()
    assert not Release.objects.filter(pk=gone.pk).exists()
    (chart, _other) = superuser_client.get(METRICS).context["charts"]
    assert [(row.title, row.cells[0].value, row.link) for row in chart.rows] == [
        (f"Release {gone.pk} (gone)", 0.4, None)
    ]
    run = TrainingRun.objects.get(metrics__has_key="evaluation")
    assert "ndcg" not in html(superuser_client, f"/admin/ecomrec/trainingrun/{run.pk}/change/")


def test_the_history_shows_the_last_twenty_in_as_many_queries_as_two(superuser_client, planted):
    def more(count):
        for _ in range(count):
            Release.objects.filter(pk=make_release().pk).update(evaluation=evaluation())

    more(2)
    superuser_client.get(METRICS)
    with CaptureQueriesContext(connection) as few:
        superuser_client.get(METRICS)
    more(23)
    with CaptureQueriesContext(connection) as many:
        charts = superuser_client.get(METRICS).context["charts"]
    assert len(charts[0].rows) == 20
    assert charts[0].rows[-1].title == str(Release.objects.latest("pk"))
    assert len(many) == len(few) <= 8


def test_the_list_says_how_each_evaluation_ended(superuser_client, planted, refused):
    Release.objects.filter(pk=planted.first.pk).update(evaluation=evaluation())
    Release.objects.filter(pk=planted.published.pk).update(refused="Worse.", overruled_note="We know.")
    rows = Tables(html(superuser_client, "/admin/ecomrec/release/")).rows
    assert [row[3] for row in rows if row and row[0].startswith("Release ")] == [
        "refused",
        "refused, overruled",
        "passed",
    ]


def test_a_refusal_stands_on_the_page_with_its_figures(client_with, refused):
    text = html(client_with("view_release"), page(refused))
    assert "Refused by its evaluation" in text
    assert "nDCG fell from 0.250 to 0.200." in text


def test_publishing_a_refused_release_needs_a_right_of_its_own(client_with, planted, refused):
    url = page(refused, "publish")
    for rights in (["publish_release"], ["overrule_refusal"]):
        staff = client_with("view_release", *rights)
        assert url not in html(staff, page(refused))
        assert staff.get(url).status_code == 403
        assert staff.post(url, {"overruled_note": "I want it."}).status_code == 403
    assert Publication.objects.get().release == planted.published
    assert url in html(client_with("view_release", "publish_release", "overrule_refusal"), page(refused))


@pytest.mark.parametrize("note", ["", "   ", "x" * 256])
def test_publishing_a_refused_release_needs_a_note_that_can_be_kept(superuser_client, planted, refused, note):
    response = superuser_client.post(page(refused, "publish"), {"overruled_note": note})
    assert list(response.context["form"].errors) == ["overruled_note"]
    assert "nDCG fell" in response.content.decode()
    assert Publication.objects.get().release == planted.published
    assert not LogEntry.objects.exists()


def test_an_overruled_refusal_keeps_who_and_why(superuser_client, refused):
    question = html(superuser_client, page(refused, "publish"))
    assert "Why do you publish it all the same?" in question
    response = superuser_client.post(page(refused, "publish"), {"overruled_note": " A new season. "}, follow=True)
    refused.refresh_from_db()
    assert (refused.overruled_by.username, refused.overruled_note) == ("boss", "A new season.")
    assert Publication.objects.get().release == refused
    assert "Overruled by boss: “A new season.”" in response.content.decode()
    said = "Published although its evaluation refused it, because: A new season."
    assert LogEntry.objects.get().change_message == said


def test_rolling_back_to_a_refused_release_asks_for_nothing(client_with, planted, refused):
    Publication.objects.update(release=planted.published, previous=refused)
    client_with("view_release", "publish_release").post(page(planted.published, "rollback"))
    assert Publication.objects.get().release == refused


def test_a_roll_back_in_code_is_allowed_too(planted, refused):
    Publication.objects.update(release=planted.published, previous=refused)
    assert rollback() == refused
