"""What waits for approval is on no page, and what is hidden by name is on none either, however many names there are."""

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from ecomrec_django.catalog.categories import CategoryTree
from ecomrec_django.failures import failure_counts
from ecomrec_django.merchandising import decisions
from ecomrec_django.models import Item, OfferList, Publication, Release, Rule
from ecomrec_django.pipeline.publish import publish
from ecomrec_django.serving.model_cache import MODELS, cached_model
from ecomrec_django.serving.offer_store import invalidate
from ecomrec_django.serving.offers import offers
from ecomrec_django.serving.rulebook import invalidate_rulebook
from ecomrec_django.strategies.base import decode_offers, encode_offers
from ecomrec_django.strategies.bought_with import BoughtWith
from ecomrec_django.testing import override_ecomrec, publish_offers
from ecomrec_django.tracking.consent import CONSENT_COOKIE
from ecomrec_django.tracking.visitors import COOKIE, sign_cookie
from tests.support.releases import encoded, list_of
from tests.support.releases import release as make_release
from tests.support.staple_shop import published_staple_shop, token

pytestmark = pytest.mark.django_db


def shown(anchors=("1",), strategy="bought_with", request=None, limit=8, **more) -> list[str]:
    found = offers(request or RequestFactory().get("/"), strategy, anchors, limit, **more)
    assert not failure_counts
    return [offer.item for offer in found.offers]


def everywhere() -> list[str]:
    """What is offered by every strategy of the host's shop."""
    return [*shown(), *shown(strategy="upgrade_to"), *shown(None, "for_you"), *shown(("1", "9"))]


FIRST = {"bought_with": {"1": ["2", "3"]}, "for_you": {"": ["3", "4"]}}
SECOND = {
    "bought_with": {"1": ["5", "3", "2"], "9": ["5"]},
    "for_you": {"": ["5", "4"], "Bikes": ["5"]},
    "upgrade_to": {"1": ["2"]},
}


@pytest.fixture(params=["changes", "all"])
def review(request, integer_key_shop):
    """A second release with 5 everywhere, which nobody has approved."""
    publish_offers(FIRST)
    with override_ecomrec(REVIEW=request.param):
        publish_offers(SECOND)
        yield request.param


class TestWhatWaits:
    def test_is_on_no_page(self, review):
        assert shown() == ["3", "2"]
        assert shown(("1", "9")) == ["3", "2"]
        assert shown(None, "for_you") == ["4"]
        assert shown(None, "for_you", category=("Bikes",)) == []
        assert shown(strategy="upgrade_to") == []
        assert shown(("9",)) == []

    def test_a_pending_list_is_replaced_by_the_category_list(self, review):
        bikes = CategoryTree().pk(("Bikes",))
        Item.objects.filter(external_id="9").update(category=bikes)
        release = Publication.objects.get().release
        OfferList.objects.create(release=release, strategy="bought_with", category_id=bikes, offers=encoded("6 7"))
        assert shown(("9",)) == ["6", "7"]

    def test_is_shown_by_the_next_page_once_it_is_approved(self, review, django_capture_on_commit_callbacks):
        everywhere()
        row = list_of(Publication.objects.get().release, "9")
        with django_capture_on_commit_callbacks(execute=True):
            decision = decisions.approve(None, row)
        assert shown(("9",)) == ["5"]
        with django_capture_on_commit_callbacks(execute=True):
            decisions.undo(None, decision)
        assert shown(("9",)) == []

    def test_is_shown_where_it_is_pinned(self, review, django_capture_on_commit_callbacks):
        shown()
        row = list_of(Publication.objects.get().release, "1")
        with django_capture_on_commit_callbacks(execute=True):
            decisions.pin(None, row, Item.objects.get(external_id="5"))
        assert shown() == ["5", "3", "2"]

    def test_costs_no_more_queries(self, review, django_assert_num_queries):
        invalidate()
        with django_assert_num_queries(2):
            assert shown() == ["3", "2"]


def test_the_first_release_needs_approval_in_mode_all(integer_key_shop):
    with override_ecomrec(REVIEW="all"):
        publish_offers(SECOND)
        assert everywhere() == []


@pytest.mark.parametrize("mode", ["auto", "changes"])
def test_the_first_release_needs_no_approval_in_mode_changes(integer_key_shop, mode):
    with override_ecomrec(REVIEW=mode):
        publish_offers(FIRST)
        assert (shown(), shown(None, "for_you")) == (["2", "3"], ["3", "4"])
        publish_offers(FIRST)
        assert (shown(), shown(None, "for_you")) == (["2", "3"], ["3", "4"])


@pytest.fixture(scope="class")
def habits(django_db_setup, django_db_blocker, tmp_path_factory):
    """A shop of customers with habits, as `staple_shop`, but smaller."""
    artifacts = tmp_path_factory.mktemp("artifacts")
    with django_db_blocker.unblock(), published_staple_shop(artifacts, 40, 12) as shop:
        shop.artifacts = artifacts
        yield shop


class TestOffersToAKnownShopper:
    """Who sees first what they buy, whether a list has it or not."""

    ANNA = 0

    @pytest.fixture
    def republished(self, habits, settings, monkeypatch):
        """Publish it anew under a mode of review, against a release that offers none of Anna's staples."""
        failure_counts.clear()
        MODELS.reset()
        # What Anna always buys comes first, as beside an anchor that adds nothing.
        monkeypatch.setattr(BoughtWith, "by_uplift", False)
        release, without = Release.objects.get(), make_release({})
        settings.ECOMREC = {**settings.ECOMREC, "ARTIFACTS": habits.artifacts}
        assert cached_model(release.pk, release.digest, wait=True)
        for row in release.lists.all():
            kept = [one for one in decode_offers(row.offers) if one.item not in self.staples(habits)]
            row.pk, row.release, row.offers = None, without, encode_offers(kept)
            row.unreviewed = row.priority = None
            row.save()

        def republish(mode):
            settings.ECOMREC = {**settings.ECOMREC, "REVIEW": mode}
            Publication.objects.update(release=without)
            if mode == "all":
                Publication.objects.all().delete()
            publish(release)
            invalidate()
            return release

        yield republish
        MODELS.reset()
        failure_counts.clear()

    def staples(self, shop) -> set[str]:
        return set(shop.staples[self.ANNA])

    def beside(self, shop) -> str:
        """A product beside which some of Anna's staples are listed, and of whose aisle she has none."""
        release = Release.objects.order_by("pk").first()
        listed = {
            row.anchor.external_id
            for row in release.lists.filter(strategy="bought_with", anchor__isnull=False).select_related("anchor")
            if self.staples(shop) & {offer.item for offer in decode_offers(row.proposed or row.offers)}
        }
        aisles = {name.rpartition("-")[0] for name in self.staples(shop)}
        others = (name for some in shop.staples for name in some if name.rpartition("-")[0] not in aisles)
        return next(name for name in others if name in listed)

    def seen(self, shop, limit=20, strategy="bought_with", consent="yes"):
        request = RequestFactory().get("/")
        request.COOKIES |= {CONSENT_COOKIE: consent, COOKIE: sign_cookie(token(self.ANNA))}
        return shown([self.beside(shop)], strategy, request, limit)

    def test_are_led_by_their_staples_where_nothing_has_to_be_approved(self, habits, republished):
        republished("auto")
        assert set(self.seen(habits, 3)) < self.staples(habits)

    @pytest.mark.parametrize("mode", ["changes", "all"])
    def test_are_approved_ones_alone(self, habits, republished, mode):
        republished(mode)
        for consent in ("yes", "no"):
            for strategy in ("bought_with", "upgrade_to", "for_you"):
                found = self.seen(habits, strategy=strategy, consent=consent)
                assert not self.staples(habits) & set(found)
                assert mode == "changes" or not found
        assert mode == "all" or self.seen(habits)

    @pytest.mark.parametrize("mode", ["changes", "all"])
    def test_are_led_by_their_staples_once_these_are_approved(self, habits, republished, mode):
        row = list_of(republished(mode), self.beside(habits))
        staples = self.staples(habits) & set(row.unreviewed)
        assert staples
        decisions.approve(None, row, staples)
        invalidate()
        assert set(self.seen(habits, len(staples))) == staples


class TestAnItemThatIsHidden:
    @pytest.fixture(autouse=True)
    def _published(self, integer_key_shop):
        publish_offers(
            {
                "bought_with": {"1": ["2", "3", "4"], "9": ["2", "3"]},
                "upgrade_to": {"1": ["2"]},
                "for_you": {"": ["2", "4"]},
            }
        )

    def test_is_on_no_page_any_more_and_costs_no_query(self, django_capture_on_commit_callbacks):
        before = everywhere()
        assert "2" in before
        with CaptureQueriesContext(connection) as queries:
            everywhere()
        with django_capture_on_commit_callbacks(execute=True):
            decision = decisions.hide_item(None, Item.objects.get(external_id="2"))
        shown()
        with CaptureQueriesContext(connection) as as_many:
            assert everywhere() == [item for item in before if item != "2"]
        assert len(as_many) <= len(queries)
        with django_capture_on_commit_callbacks(execute=True):
            decisions.undo(None, decision)
        assert everywhere() == before

    def test_may_be_one_of_thousands(self, django_assert_num_queries):
        Item.objects.bulk_create(Item(external_id=f"hidden-{n}", title="", fingerprint="") for n in range(1_999))
        hidden = Item.objects.filter(external_id__startswith="hidden-") | Item.objects.filter(external_id="3")
        Rule.objects.bulk_create(Rule(name="never", action="hide", item=one) for one in hidden)
        invalidate_rulebook()
        shown()
        for strategy, found in (("bought_with", ["2", "4"]), ("upgrade_to", ["2"])):
            invalidate()
            with django_assert_num_queries(2):
                assert shown(strategy=strategy) == found
