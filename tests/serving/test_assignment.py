"""Visitors who agreed take part in the experiment of a slot: sticky, recorded, and as probably as asked."""

import re
from collections import Counter
from datetime import timedelta

import pytest
from django.http import HttpResponse
from django.template import RequestContext, Template
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from ecomrec_django.failures import failure_counts
from ecomrec_django.insights.experiments import evaluate
from ecomrec_django.models import Arm, Experiment, Exposure, Segment, Visitor
from ecomrec_django.serving.assignment import assign
from ecomrec_django.serving.rulebook import invalidate_rulebook, running_experiment
from ecomrec_django.serving.slots import slot_offers
from ecomrec_django.serving.tokens import open_block
from ecomrec_django.testing import publish_offers
from ecomrec_django.tracking.middleware import TrackingMiddleware
from ecomrec_django.tracking.visitors import token_key
from tests.hosts.models import IntegerProduct

from ..support.shoppers import asking, remember

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
TOKENS = [f"{number:032x}" for number in range(60)]


@pytest.fixture(autouse=True)
def _published(integer_key_shop):
    publish_offers({"bought_with": {"1": ["2", "3"]}, "for_you": {"": ["7", "8"]}})


@pytest.fixture
def experiment(django_capture_on_commit_callbacks):
    def make(holdout=0.0, mode="split", status="running", **arms):
        with django_capture_on_commit_callbacks(execute=True):
            made = Experiment.objects.create(name="first", slot="product", holdout=holdout, mode=mode, status=status)
            for name, options in arms.items():
                Arm.objects.create(experiment=made, name=name, options=options)
            if holdout:
                Arm.objects.create(experiment=made, name="no offers", is_holdout=True)
        return made

    return make


def visit(token, consent="yes"):
    """The block of a page that goes through the middleware, so that what it saw is recorded."""
    shown = []

    def view(request):
        shown.append(slot_offers(request, "product", ["1"]))
        return HttpResponse("")

    request = asking(token, consent)
    request.META["HTTP_USER_AGENT"] = BROWSER
    response = TrackingMiddleware(view)(request)
    request.close()
    assert not failure_counts
    return shown[0], response


def test_arms_fill_the_slot_and_are_named_in_the_token(experiment):
    made = experiment(beside={"chain": ["bought_with"]}, taste={"chain": ["for_you"], "limit": 1})
    arms = {str(arm.pk): arm.name for arm in made.arms.all()}
    seen = Counter()
    for token in TOKENS:
        block, _ = visit(token)
        arm = arms[open_block(block.token).arm]
        items = [offer.item for offer in block.offers]
        assert items == {"beside": ["2", "3"], "taste": ["7"]}[arm]
        seen[arm] += 1
    assert set(seen) == {"beside", "taste"}


def test_a_visitor_keeps_the_arm_and_is_recorded_once_a_day(experiment, time_machine):
    experiment(a={"limit": 1}, b={"limit": 2})
    first = {token: open_block(visit(token)[0].token).arm for token in TOKENS[:8]}
    for token, arm in first.items():
        assert open_block(visit(token)[0].token).arm == arm
    assert Exposure.objects.count() == 8
    assert {(str(one.arm_id), one.propensity) for one in Exposure.objects.all()} <= {
        (arm, 0.5) for arm in first.values()
    }


def test_the_holdout_sees_no_offers_and_is_recorded_as_well(experiment):
    made = experiment(holdout=0.5, a={})
    shown = {token: bool(visit(token)[0]) for token in TOKENS}
    recorded = Counter(Exposure.objects.values_list("arm__is_holdout", flat=True))
    assert recorded == Counter(not offers for offers in shown.values())
    assert 15 < recorded[True] < 45
    assert set(Exposure.objects.values_list("propensity", flat=True)) == {0.5}
    assert made.arms.count() == 2


@pytest.mark.parametrize("consent", ["no", ""])
def test_without_consent_the_slot_is_shown_as_configured(experiment, consent):
    experiment(holdout=0.9, a={"chain": ["for_you"]})
    for token in TOKENS[:6]:
        block, response = visit(token, consent)
        assert [offer.item for offer in block.offers] == ["2", "3"]
        assert open_block(block.token).arm == ""
        assert "Vary" not in response
    assert not Exposure.objects.exists()


def test_pages_with_an_arm_are_not_shared_by_caches(experiment):
    experiment(a={}, b={})
    _, response = visit(TOKENS[0])
    assert response["Vary"] == "Cookie"
    assert "private" in response["Cache-Control"]


def test_drafts_and_ended_experiments_change_nothing(experiment):
    for status in ("draft", "ended"):
        experiment(status=status, holdout=0.9, a={"chain": ["for_you"]})
    assert {visit(token)[0].strategy for token in TOKENS[:10]} == {"bought_with"}
    assert not Exposure.objects.exists()


def test_an_invalid_experiment_leaves_its_slot_as_configured(experiment):
    experiment(a={"chain": ["gone"]})
    block = slot_offers(asking(TOKENS[0]), "product", ["1"])
    assert [offer.item for offer in block.offers] == ["2", "3"]
    assert failure_counts == {("experiment", "DataError"): 1}
    failure_counts.clear()


def test_an_experiment_costs_no_query_before_the_response(experiment, django_assert_num_queries):
    experiment(holdout=0.2, a={}, b={"limit": 1})
    visit(TOKENS[0])
    publish_offers({"bought_with": {"1": ["2", "3"]}})
    shown = next(token for token in TOKENS if visit(token)[0])
    publish_offers({"bought_with": {"1": ["2", "3"]}})
    with django_assert_num_queries(2):
        slot_offers(asking(shown), "product", ["1"])


def test_a_band_bounds_the_price_of_offers_against_the_anchors(experiment):
    publish_offers({"bought_with": {"10": ["11", "14", "19", "5"]}})
    experiment(a={"band": [1.05, 1.5]})
    block = slot_offers(asking(TOKENS[0]), "product", ["10"])
    assert [offer.item for offer in block.offers] == ["11", "14"]
    IntegerProduct.objects.filter(pk=11).update(price=30)
    block = slot_offers(asking(TOKENS[0]), "product", ["10"])
    assert [offer.item for offer in block.offers] == ["14"]


def test_shares_differ_by_segment_but_the_holdout_stays(experiment):
    made = experiment(holdout=0.2, mode="bandit", a={}, b={})
    first, second = made.arms.filter(is_holdout=False)
    segment = Segment.objects.create(label=1, description="gourmets")
    for arm, shares in ((first, (0.9, 0.1)), (second, (0.1, 0.9))):
        arm.shares = {"0": shares[0], str(segment.pk): shares[1]}
        arm.save()
    trial = running_experiment(Experiment.objects.get())
    # Enough that any experiment's number draws within these bounds.
    visitors = [f"visitor {number}" for number in range(16_000)]

    def drawn(trial, segment):
        return {visitor: assign(trial, "product", visitor, segment) for visitor in visitors}

    everybody, gourmets = drawn(trial, 0), drawn(trial, segment.pk)
    held = {visitor for visitor, (place, _) in everybody.items() if place.arm == trial.holdout_arm}
    assert len(held) / len(visitors) == pytest.approx(0.2, abs=0.02)
    assert held == {visitor for visitor, (place, _) in gourmets.items() if place.arm == trial.holdout_arm}
    for found, share in ((everybody, 0.9), (gourmets, 0.1)):
        with_first = [propensity for place, propensity in found.values() if place.arm == str(first.pk)]
        assert len(with_first) / len(visitors) == pytest.approx(0.8 * share, abs=0.02)
        assert with_first == pytest.approx([0.8 * share] * len(with_first))


def test_shares_depend_on_the_shoppers_segment(experiment, django_assert_num_queries):
    segment = Segment.objects.create(label=1, description="gourmets")
    made = experiment(mode="bandit", a={}, b={"chain": ["for_you"]})
    first, second = made.arms.all()
    first.shares, second.shares = {"0": 1.0, str(segment.pk): 0.0}, {"0": 0.0, str(segment.pk): 1.0}
    first.save()
    second.save()
    invalidate_rulebook()
    remember("9", TOKENS[0], segment)
    remember("9", TOKENS[1])
    assert visit(TOKENS[0])[0].strategy == "for_you"
    assert visit(TOKENS[1])[0].strategy == "bought_with"
    assert set(Exposure.objects.values_list("segment", "propensity")) == {(segment.pk, 1.0), (0, 1.0)}


def test_a_bandit_records_segments_from_the_start(experiment):
    segment = Segment.objects.create(label=1, description="gourmets")
    made = experiment(mode="bandit", a={}, b={})
    remember("9", TOKENS[0], segment)
    remember("9", TOKENS[1])
    for token in TOKENS[:3]:
        visit(token)
    assert sorted(Exposure.objects.values_list("segment", flat=True)) == [0, 0, segment.pk]
    Visitor.objects.update(created=timezone.now() - timedelta(days=2))
    evaluate(made)
    assert [set(arm.shares) for arm in made.arms.all()] == [{"0", str(segment.pk)}] * 2


def test_a_bandit_costs_one_query_until_its_conclusion(experiment, django_assert_num_queries):
    made = experiment(mode="bandit", a={}, b={"limit": 1})
    for conclusion, queries in (("", 3), ("fell back", 2)):
        made.conclusion = conclusion
        made.save()
        invalidate_rulebook()
        visit(TOKENS[0])
        publish_offers({"bought_with": {"1": ["2", "3"]}})
        with django_assert_num_queries(queries):
            slot_offers(asking(TOKENS[0]), "product", ["1"])


def test_staff_see_an_arm_but_are_not_recorded(experiment, django_user_model, client):
    experiment(a={}, b={})
    request = RequestFactory().get("/")
    request.COOKIES = asking(TOKENS[0]).COOKIES
    request.META["HTTP_USER_AGENT"] = BROWSER
    boss = django_user_model.objects.create_user("boss", is_staff=True)
    request.user = boss
    from django.conf import settings

    request.COOKIES[settings.SESSION_COOKIE_NAME] = "s"

    def view(request):
        assert slot_offers(request, "product", ["1"])
        return HttpResponse("")

    TrackingMiddleware(view)(request)
    request.close()
    assert not Exposure.objects.exists()


def page_fetched_ahead(token, consent="yes"):
    """The text of a page with the slot that a browser fetches before anybody asks for it."""

    def view(request):
        return HttpResponse(Template("{% load ecomrec %}{% slot 'product' '1' %}").render(RequestContext(request)))

    request = asking(token, consent)
    request.META |= {"HTTP_USER_AGENT": BROWSER, "HTTP_SEC_PURPOSE": "prefetch"}
    response = TrackingMiddleware(view)(request)
    request.close()
    assert not failure_counts
    return response.content.decode()


def see(page, token):
    """What the script of the page reports once it is seen."""
    client = Client(HTTP_USER_AGENT=BROWSER, HTTP_SEC_FETCH_SITE="same-origin")
    client.cookies.load(asking(token).COOKIES)
    marks = re.findall(r'data-ecomrec-view="([^"]+)"', page)
    for mark in marks:
        reports = [{"view": mark, "id": "0" * 32}]
        assert client.post(reverse("ecomrec:beacon"), {"reports": reports}, "application/json").status_code == 204
    return len(marks)


@pytest.mark.parametrize("holdout", [0.0, 0.999])
def test_a_page_that_was_fetched_ahead_is_an_exposure_once_it_is_seen(experiment, holdout):
    made = experiment(holdout=holdout, a={}, b={"limit": 1})
    pages = {token: page_fetched_ahead(token) for token in TOKENS[:6]}
    assert not Exposure.objects.exists()
    for token, page in pages.items():
        assert [see(page, token), see(page, token)] == [1, 1]
    assert Exposure.objects.count() == 6
    found = Exposure.objects.values_list("visitor__key", "arm_id", "propensity")
    trial = running_experiment(made)
    expected = set()
    for token in TOKENS[:6]:
        place, propensity = assign(trial, "product", token_key(token), 0)
        expected.add((token_key(token), int(place.arm), propensity))
    assert set(found) == expected


def test_nobody_else_reports_the_exposure_of_a_page_that_was_fetched_ahead(experiment):
    experiment(a={})
    page = page_fetched_ahead(TOKENS[0])
    assert see(page, TOKENS[1]) == 1
    assert see(page.replace('data-ecomrec-view="', 'data-ecomrec-view="x'), TOKENS[0]) == 1
    assert not Exposure.objects.exists()


def test_a_page_that_was_fetched_ahead_for_nobody_known_reports_no_exposure(experiment):
    experiment(a={})
    assert see(page_fetched_ahead(TOKENS[0], consent="no"), TOKENS[0]) == 0
