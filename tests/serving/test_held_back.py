"""A release that holds a strategy back: pages go on showing the former lists of it, and rank them as before."""

import pytest
from django.core.cache import cache

from ecomrec_django.insights.explain import explain, page_for
from ecomrec_django.models import Publication, Release
from ecomrec_django.pipeline.publish import publish
from ecomrec_django.serving.offers import offers
from ecomrec_django.serving.shopper_context import shopper_context_by_key
from ecomrec_django.testing import publish_offers
from tests.support.shoppers import asking, remember
from tests.support.verdicts import give_verdict

pytestmark = pytest.mark.django_db


@pytest.fixture
def former(integer_key_shop):
    return publish_offers({"bought_with": {"1": ["4"]}, "for_you": {"": ["5"]}})


@pytest.fixture
def current(former):
    """Published, with its "for you" held back."""
    release = publish_offers({"bought_with": {"1": ["6"]}, "for_you": {"": ["7"]}})
    give_verdict(release, "for_you", source=former)
    give_verdict(release, "bought_with", outcome="passed", reasons="")
    cache.clear()
    return release


def block(strategy, *anchors):
    shown = offers(asking(), strategy, anchors, 4)
    return shown.release, [offer.item for offer in shown.offers]


def test_pages_show_the_former_lists_of_what_is_held_back(former, current):
    assert block("for_you") == (former.pk, ["5"])
    assert block("bought_with", 1) == (current.pk, ["6"])


def test_a_block_still_needs_one_query_for_its_lists(current, django_assert_num_queries):
    # What the merchant's rules and experiments say is known from another page.
    offers(asking(), "bought_with", [2], 4)
    with django_assert_num_queries(2):
        offers(asking(), "bought_with", [1], 4)


def test_nothing_is_shown_of_what_was_never_shown(current):
    current.verdicts.filter(strategy="for_you").update(source=None)
    assert block("for_you")[1] == []


def test_publishing_it_anyway_shows_its_own_lists(current, admin_user, django_capture_on_commit_callbacks):
    assert block("for_you")[1] == ["5"]
    with django_capture_on_commit_callbacks(execute=True):
        publish(current, overruled={"for_you"}, overruled_by=admin_user, note="A new season.")
    assert block("for_you") == (current.pk, ["7"])


def test_a_shopper_is_ranked_by_the_model_of_the_lists(former, current):
    for release, digest in ((former, "a" * 64), (current, "b" * 64)):
        Release.objects.filter(pk=release.pk).update(digest=digest)
    visitor = remember("4")
    shopper = shopper_context_by_key(visitor.key)
    assert shopper.shown_release("for_you") == (former.pk, "a" * 64)
    assert shopper.shown_release("bought_with") == (current.pk, "b" * 64)


def test_an_explanation_names_the_release_of_the_lists(former, current):
    assert explain(page_for(), "for_you", []).release == former.pk


def test_the_published_release_is_the_new_one(former, current):
    publication = Publication.objects.get()
    assert (publication.release, publication.previous) == (current, former)
