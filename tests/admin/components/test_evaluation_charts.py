"""How well a release predicts purchases, how releases compare, and how a rejected one is published anyway."""

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ecomrec_django.admin.components.feature_labels import LABELS
from ecomrec_django.learning.ranking.features import FEATURE_NAMES
from ecomrec_django.models import Publication, Release, TrainingRun
from ecomrec_django.pipeline.publish import prune, rollback
from tests.support.verdicts import FELL, give_verdict

from ..conftest import make_release
from ..test_segments import Tables

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
        "signals": {"bought_with": [["probability", 0.1], ["own_share", 0.31], ["brand_new", 0.2]], "for_you": []},
    }


@pytest.fixture
def evaluated(planted):
    Release.objects.filter(pk=planted.candidate.pk).update(evaluation=evaluation())
    return planted.candidate


@pytest.fixture
def refused(evaluated):
    give_verdict(evaluated)
    return evaluated


def page(release, name="change"):
    return f"/admin/ecomrec/release/{release.pk}/{name}/"


def html(client, url):
    return client.get(url).content.decode()


def test_every_method_stands_with_every_metric_and_its_interval(superuser_client, evaluated):
    rows = Tables(html(superuser_client, page(evaluated))).rows
    assert ["Method", "nDCG", "Hit rate", "Revenue", "Coverage"] in rows
    assert ["Bought with", "0.200 (0.190 – 0.210)", "50% (49% – 51%)", "–", "25%"] in rows
    assert ["Bought with: popularity", "0.100 (0.090 – 0.110)", "–", "12.50", "–"] in rows


def test_the_drawn_cells_carry_value_and_interval(superuser_client, evaluated):
    tags = Tables(html(superuser_client, page(evaluated))).tags
    drawn = [attributes for _tag, attributes in tags if "data-low" in attributes]
    assert [float(drawn[0][f"data-{name}"]) for name in ("value", "low", "high")] == pytest.approx([0.2, 0.19, 0.21])


def test_case_sentences_state_period_and_counts(superuser_client, evaluated):
    text = html(superuser_client, page(evaluated))
    for said in ("Oct. 1, 2026", "Oct. 28, 2026", "Scored on the top 10 offers.", "3,821 cases from 412 customers."):
        assert said in text


def test_signals_come_strongest_first_under_readable_names(superuser_client, evaluated):
    rows = Tables(html(superuser_client, page(evaluated))).rows
    at = rows.index(["Feature", "Mean contribution to the log-odds"])
    assert rows[at + 1 : at + 4] == [
        ["Share of the shopper's orders with it", "0.310"],
        ["brand_new", "0.200"],
        ["Bought with this item", "0.100"],
    ]


def test_every_signal_that_is_learned_from_has_a_name_of_its_own():
    assert set(LABELS) == set(FEATURE_NAMES)
    assert len({str(label) for label in LABELS.values()}) == len(FEATURE_NAMES)


def test_a_release_that_was_not_evaluated_says_so(superuser_client, planted):
    assert "Not evaluated" in html(superuser_client, page(planted.candidate))
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


def test_history_charts_start_with_the_oldest_release(superuser_client, planted):
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
        (f"Release {gone.pk} (deleted)", 0.4, None)
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
    give_verdict(planted.first, outcome="passed", reasons="")
    give_verdict(planted.published, outcome="overruled", reasons="Worse.", overruled_note="We know.")
    give_verdict(planted.published, "for_you", outcome="passed", reasons="")
    rows = Tables(html(superuser_client, "/admin/ecomrec/release/")).rows
    assert [row[3] for row in rows if row and row[0].startswith("Release ")] == [
        "held back 1",
        "published anyway 1 · passed 1",
        "passed 1",
    ]


def test_what_is_held_back_stands_on_the_page_with_its_figures(client_with, planted, refused):
    refused.verdicts.update(source=planted.published)
    text = html(client_with("view_release"), page(refused))
    assert "Held back by the evaluation" in text
    assert FELL in text
    assert f"Pages show the lists of {planted.published} instead." in text


def test_the_page_says_of_each_strategy_what_pages_show(superuser_client, planted, refused):
    refused.verdicts.update(source=planted.published)
    give_verdict(refused, "upgrade_to", outcome="warned", reasons="Below bestsellers.")
    give_verdict(refused, "for_you", outcome="passed", reasons="")
    rows = Tables(html(superuser_client, page(refused))).rows
    assert [row for row in rows if row and row[0] in {"Bought with", "For you", "Upgrade to"}][:3] == [
        ["Bought with", "held back", str(planted.published), FELL],
        ["For you", "passed", str(refused), "–"],
        ["Upgrade to", "warning", str(refused), "Below bestsellers."],
    ]


def test_publishing_what_is_held_back_needs_a_right_of_its_own(client_with, planted, refused):
    url = page(refused, "overrule")
    for rights in (["publish_release"], ["overrule_refusal"]):
        staff = client_with("view_release", *rights)
        assert url not in html(staff, page(refused))
        assert staff.get(url).status_code == 403
        assert staff.post(url, {"strategies": ["bought_with"], "note": "I want it."}).status_code == 403
    assert Publication.objects.get().release == planted.published
    assert url in html(client_with("view_release", "publish_release", "overrule_refusal"), page(refused))


@pytest.mark.parametrize("note", ["", "   ", "x" * 256])
def test_publishing_what_is_held_back_needs_a_note_that_can_be_kept(superuser_client, planted, refused, note):
    response = superuser_client.post(page(refused, "overrule"), {"strategies": ["bought_with"], "note": note})
    assert list(response.context["form"].errors) == ["note"]
    assert FELL in response.content.decode()
    assert Publication.objects.get().release == planted.published
    assert not LogEntry.objects.exists()


def test_publishing_anyway_keeps_who_and_why(superuser_client, refused):
    assert "Reason for publishing anyway" in html(superuser_client, page(refused, "overrule"))
    answer = {"strategies": ["bought_with"], "note": " A new season. "}
    response = superuser_client.post(page(refused, "overrule"), answer, follow=True)
    verdict = refused.verdicts.get()
    assert (verdict.outcome, verdict.overruled_by.username, verdict.overruled_note) == (
        "overruled",
        "boss",
        "A new season.",
    )
    assert Publication.objects.get().release == refused
    assert "Overruled by boss: “A new season.”" in response.content.decode()
    assert LogEntry.objects.get().change_message == "Published anyway: Bought with (reason: A new season.)"


def test_one_of_several_that_are_held_back_is_chosen(superuser_client, planted, refused):
    give_verdict(refused, "upgrade_to")
    superuser_client.post(page(refused, "overrule"), {"strategies": ["upgrade_to"], "note": "A new season."})
    assert [each.strategy for each in refused.held_back] == ["bought_with"]
    assert Publication.objects.get().release.shown_release("bought_with") == planted.published.pk


def test_a_release_that_is_held_back_in_part_is_published_without_a_note(superuser_client, planted, refused):
    give_verdict(refused, "upgrade_to", outcome="passed", reasons="")
    assert FELL in html(superuser_client, page(refused, "publish"))
    superuser_client.post(page(refused, "publish"))
    assert Publication.objects.get().release == refused
    assert refused.shown_release("bought_with") == planted.published.pk


def test_rolling_back_to_a_refused_release_asks_for_nothing(client_with, planted, refused):
    Publication.objects.update(release=planted.published, previous=refused)
    client_with("view_release", "publish_release").post(page(planted.published, "rollback"))
    assert Publication.objects.get().release == refused


def test_a_roll_back_in_code_is_allowed_too(planted, refused):
    Publication.objects.update(release=planted.published, previous=refused)
    assert rollback() == refused
