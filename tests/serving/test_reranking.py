"""Offers for one shopper: what they buy first, for them alone, and only while they agree to be known."""

import json
import shutil
import threading

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from ecomrec_django.artifacts import release_folder
from ecomrec_django.conf import conf
from ecomrec_django.failures import failure_counts
from ecomrec_django.models import Event, Item, Profile, Publication, Release, Visitor
from ecomrec_django.privacy.erasure import erase
from ecomrec_django.serving.model_cache import MODELS, ModelCache, cached_model
from ecomrec_django.serving.offers import block_of, offers
from ecomrec_django.serving.page import Page, page_of
from ecomrec_django.serving.selection import RankerPersonaliser, Selection
from ecomrec_django.serving.slots import slot_offers
from ecomrec_django.testing import override_ecomrec
from ecomrec_django.tracking.consent import CONSENT_COOKIE, exclude
from ecomrec_django.tracking.request_state import request_state
from ecomrec_django.tracking.visitors import COOKIE, merge, sign_cookie, token_key, user_key
from example_shop.models import Product
from tests.support.queries import without_savepoints
from tests.support.staple_shop import APPLIANCES, PER_AISLE, token

pytestmark = pytest.mark.django_db
ANNA, BEN = 0, 1
APPLIANCE_NAMES = [f"{APPLIANCES}-{place}" for place in range(PER_AISLE)]
STRANGER = "f" * 32


@pytest.fixture
def shop(staple_shop, settings):
    """The trained shop, its model in this process."""
    settings.ECOMREC = {**settings.ECOMREC, "ARTIFACTS": staple_shop.artifacts}
    failure_counts.clear()
    MODELS.reset()
    release = Release.objects.get()
    assert cached_model(release.pk, release.digest, wait=True)
    yield staple_shop
    MODELS.reset()
    failure_counts.clear()


@pytest.fixture
def ask(rf):
    """A request of one customer's browser."""

    def ask(customer=ANNA, consent="yes", user=None, **headers):
        request = rf.get("/", **headers)
        cookie = customer if isinstance(customer, str) else token(customer)
        request.COOKIES |= {CONSENT_COOKIE: consent, COOKIE: sign_cookie(cookie)}
        if user:
            request.COOKIES["sessionid"] = "x"
            request.user = user
        return request

    return ask


def skus(request, strategy="for_you", anchors=None, limit=8, **more) -> list[str]:
    return [offer.item for offer in offers(request, strategy, anchors, limit, **more).offers]


def aisle(name: str) -> str:
    return name.rpartition("-")[0]


def visitor(customer: int) -> Visitor:
    return Visitor.objects.get(key=token_key(token(customer)))


def happens(kind: str, name: str, of: Visitor, **more) -> None:
    item = Item.objects.get(external_id=name)
    Event.objects.create(kind=kind, item=item, visitor=of, time=timezone.now(), policy="1", **more)


def elsewhere(shop, customer: int, anchors: list[str]) -> list[str]:
    """The customer's staples of other aisles than the anchors'."""
    return [name for name in shop.staples[customer] if aisle(name) not in map(aisle, anchors)]


def ours(queries: CaptureQueriesContext) -> list[str]:
    return [query["sql"] for query in queries if "ecomrec_event" in query["sql"]]


class TestAKnownCustomer:
    @pytest.mark.parametrize("customer", [ANNA, BEN, 42])
    def test_sees_their_own_staples_first(self, shop, ask, customer):
        assert set(skus(ask(customer), limit=4)) == set(shop.staples[customer])
        assert not failure_counts

    def test_sees_them_beside_a_product_too_and_not_another_customers(self, shop, ask):
        anchor = next(name for name in shop.staples[BEN] if aisle(name) not in map(aisle, shop.staples[ANNA]))
        for customer in (ANNA, BEN):
            own = elsewhere(shop, customer, [anchor])
            assert set(skus(ask(customer), "bought_with", [anchor], len(own))) == set(own)

    def test_sees_nothing_bought_together_with_an_empty_cart(self, shop, ask):
        assert offers(ask(), "bought_with", [], 8).offers == []
        block = slot_offers(ask(), "cart", [])
        assert block.strategy == "for_you"
        assert set(shop.staples[ANNA]) & {offer.item for offer in block.offers}

    def test_is_told_how_often_they_bought_what_no_list_holds(self, shop, ask):
        listed = skus(ask(consent="no"), limit=20)
        added = [offer for offer in offers(ask(), "for_you", None, 4).offers if offer.item not in listed]
        assert added
        for offer in added:
            baskets = Event.objects.filter(visitor=visitor(ANNA), item__external_id=offer.item).count()
            assert offer.reason == f"You bought this {baskets} times"

    def test_is_never_offered_the_anchors_aisle(self, shop, ask):
        for anchor in shop.staples[ANNA]:
            found = skus(ask(), "bought_with", [anchor], 20)
            assert len(found) > 8
            assert aisle(anchor) not in set(map(aisle, found))
        two = shop.staples[ANNA][:2]
        assert not set(map(aisle, two)) & set(map(aisle, skus(ask(), "bought_with", two, 20)))

    def test_is_never_offered_again_what_is_bought_once_though_a_list_holds_it(self, shop, ask):
        category = ("Market", f"Aisle {APPLIANCES}")
        general = skus(ask(consent="no"), category=category, limit=20)
        for customer in range(12):
            owned = shop.appliance[customer]
            assert owned in general
            assert owned not in skus(ask(customer), limit=20)
            assert sorted(skus(ask(customer), category=category, limit=20)) == sorted(set(general) - {owned})
            assert owned not in skus(ask(customer), "bought_with", [shop.staples[customer][0]], 20)

    def test_is_not_offered_as_an_upgrade_what_they_have(self, shop, ask):
        pairs = [
            (name, offered) for name in APPLIANCE_NAMES for offered in skus(ask(consent="no"), "upgrade_to", [name])
        ]
        assert pairs
        name, offered = pairs[0]
        owner = shop.appliance.index(offered)
        assert offered not in skus(ask(owner), "upgrade_to", [name])

    def test_sees_a_category_by_what_they_buy_of_it(self, shop, ask):
        name = shop.staples[ANNA][0]
        category = Product.objects.get(sku=name).category
        assert skus(ask(), category=("Market", category.name), limit=1) == [name]
        assert {aisle(one) for one in skus(ask(), category=("Market", category.name))} == {aisle(name)}

    def test_sees_the_lists_as_the_guard_lets_through(self, shop, ask):
        name = skus(ask(), limit=1)[0]
        Product.objects.filter(sku=name).update(stock=0)
        assert name not in skus(ask())

    def test_sees_what_is_worth_most_where_the_shop_asks_for_it(self, shop, ask):
        plain = {offer.item: offer.score for offer in offers(ask(), "for_you", None, 20).offers}
        with override_ecomrec(OBJECTIVE={"for_you": "revenue"}):
            valued = offers(ask(), "for_you", None, 8).offers
        assert [offer.score for offer in valued] == sorted((offer.score for offer in valued), reverse=True)
        both = [offer for offer in valued if offer.item in plain]
        assert len(both) >= 4
        for offer in both:
            assert offer.score == pytest.approx(plain[offer.item] * float(offer.price))
        assert [offer.item for offer in valued] != list(plain)[:8]

    def test_sees_beside_a_product_what_is_likeliest_or_what_it_adds(self, shop, ask):
        anchor = shop.staples[ANNA][0]
        added = offers(ask(), "bought_with", [anchor], 8).offers
        with override_ecomrec(OBJECTIVE={"bought_with": "probability"}):
            likely = offers(ask(), "bought_with", [anchor], 8).offers
        for shown in (added, likely):
            assert [offer.score for offer in shown] == sorted((offer.score for offer in shown), reverse=True)
        # What an anchor adds is less than how probably something is bought.
        assert sum(offer.score for offer in likely) > sum(offer.score for offer in added)

    @pytest.mark.parametrize("strategy", ["for_you", "bought_with"])
    def test_discovery_takes_from_popular_offers(self, shop, ask, strategy):
        def scores(dial):
            with override_ecomrec(DISCOVERY=dial):
                block = offers(ask(), strategy, [shop.staples[ANNA][0]], 8)
            return {offer.item: offer.score for offer in block.offers if offer.score > 0}

        plain, dialled = scores(0), scores(1)
        assert len(plain.keys() & dialled.keys()) >= 3
        for name in plain.keys() & dialled.keys():
            # Each is in at least eight baskets.
            assert dialled[name] < plain[name] / 2

    def test_a_personal_block_costs_three_queries(self, shop, ask):
        with CaptureQueriesContext(connection) as queries:
            assert skus(ask(), limit=4)
        assert len(without_savepoints(queries)) <= 3
        request = ask()
        anchor = shop.staples[ANNA][0]
        with CaptureQueriesContext(connection) as queries:
            assert skus(request, limit=4)
            assert skus(request, "bought_with", [anchor], 4)
            assert skus(request, "bought_with", [shop.staples[BEN][1]], 4)
        assert len(ours(queries)) == 1
        assert len(without_savepoints(queries)) <= 7

    def test_is_known_on_the_next_page_by_what_they_looked_at(self, shop, ask):
        before = page_of(ask(), None).ranking_context("bought_with")
        bought = set(Event.objects.filter(visitor=visitor(ANNA)).values_list("item__external_id", flat=True))
        name = next(name for name in APPLIANCE_NAMES if name not in bought)
        happens("view_item", name, visitor(ANNA))
        after = page_of(ask(), None).ranking_context("bought_with").features
        number = before.model.external_ids.numbers([name])
        assert not np.isin(number, before.features.viewed[0])
        assert after.viewed[0].tolist() == number.tolist()
        assert np.isin(number, after.candidates)

    def test_a_new_shopper_sees_purchases_on_the_next_page(self, shop, ask):
        general = skus(ask(STRANGER))
        new = Visitor.objects.create(key=token_key(STRANGER))
        assert skus(ask(STRANGER)) == general
        name = "item-5-7"
        for order in range(3):
            happens("purchase", name, new, basket=f"new-{order}")
        assert skus(ask(STRANGER))[0] == name
        assert skus(ask(ANNA))[0] != name

    def test_after_a_login_is_known_by_both_histories(self, shop, ask):
        user = User.objects.create_user("anna")
        assert skus(ask(STRANGER, user=user)) == skus(ask(STRANGER, consent="no"))
        assert merge(token(ANNA), user.pk)
        assert set(skus(ask(STRANGER, user=user), limit=4)) == set(shop.staples[ANNA])
        # A second device joins, and both are known at once.
        assert merge(token(BEN), user.pk)
        assert set(skus(ask(user=user), limit=20)) >= set(shop.staples[ANNA]) | set(shop.staples[BEN])
        assert Profile.objects.filter(visitor__key=user_key(user.pk)).count() == 1
        assert not Profile.objects.filter(visitor__key=token_key(token(BEN))).exists()

    def test_is_not_known_any_more_once_they_were_erased(self, shop, ask):
        general = skus(ask(consent="no"))
        assert skus(ask()) != general
        receipt = erase([token_key(token(ANNA))])
        assert receipt.removed_rows["profiles"] == 1
        assert not Profile.objects.filter(visitor__key=token_key(token(ANNA))).exists()
        assert skus(ask()) == general
        assert page_of(ask(), None).shopper is None

    def test_finds_their_segment_in_the_export(self, shop, client):
        client.cookies[COOKIE] = sign_cookie(token(ANNA))
        said = json.loads(client.get(reverse("ecomrec:me")).getvalue())
        row = Profile.objects.get(visitor=visitor(ANNA))
        assert said["profiles"] == [{"segment": row.segment.description, "until": row.until.isoformat()}]


class TestTheGeneralListIsShown:
    """Without an error, to whom is not or may not be known."""

    @pytest.fixture
    def general(self, shop, ask):
        found = skus(ask(STRANGER, consent="no"))
        assert len(found) == 8
        assert set(found[:4]) != set(shop.staples[ANNA])
        yield found
        assert not {name for name, _ in failure_counts} & {"for_you", "bought_with"}

    @pytest.mark.parametrize(
        "how",
        [
            {"consent": "no"},
            {"consent": ""},
            {"HTTP_SEC_GPC": "1"},
            {"HTTP_DNT": "1"},
            {"customer": "forged"},
            {"customer": STRANGER},
        ],
        ids=str,
    )
    def test_without_consent_or_a_known_cookie(self, general, ask, how):
        assert skus(ask(**how)) == general
        assert not failure_counts

    def test_and_then_nothing_is_read_of_anybody(self, general, ask):
        for request in (ask(consent="no"), ask(HTTP_DNT="1")):
            with CaptureQueriesContext(connection) as queries:
                skus(request)
            assert not ours(queries)
            assert not request_state(request).personal
        personal = ask()
        skus(personal)
        assert request_state(personal).personal

    def test_to_a_cookie_that_has_joined_an_account_and_lives_on(self, general, ask):
        merge(token(ANNA), User.objects.create_user("anna").pk)
        assert skus(ask()) == general
        assert not failure_counts

    def test_to_who_withdrew(self, general, ask):
        exclude(token_key(token(ANNA)))
        assert skus(ask()) == general
        assert not failure_counts

    def test_while_the_model_is_being_read(self, general, ask):
        release = Release.objects.get()
        model, started, shown = cached_model(release.pk, release.digest), threading.Event(), threading.Event()

        def load(number, digest):
            assert (number, digest) == (release.pk, release.digest)
            started.set()
            shown.wait(60)
            return model

        request, models = ask(), ModelCache(load)
        page = Page(catalog=conf.CATALOG(), request=request, models=models)
        request_state(request).get_or_create(Page, lambda: page)
        assert skus(request) == general
        assert started.wait(60)
        shown.set()
        assert models.get(release.pk, release.digest, wait=True) is model
        assert not failure_counts

    @pytest.mark.parametrize("change", ["missing", "broken"])
    def test_where_the_models_folder_is_wrong_and_that_is_counted(self, general, ask, settings, tmp_path, change):
        release = Release.objects.get()
        if change == "broken":
            shutil.copytree(release_folder(release.pk), tmp_path / "releases" / str(release.pk))
            (tmp_path / "releases" / str(release.pk) / "ids.npy").write_bytes(b"nonsense")
        settings.ECOMREC = {**settings.ECOMREC, "ARTIFACTS": tmp_path}
        MODELS.reset()
        assert cached_model(release.pk, release.digest, wait=True) is None
        assert skus(ask()) == general
        assert failure_counts == {("model", "DataError"): 1}
        # It is not tried again at once, by every page.
        assert cached_model(release.pk, release.digest, wait=True) is None
        assert failure_counts == {("model", "DataError"): 1}

    @pytest.mark.parametrize("garbage", [b"", b"nonsense", b"\x01\x04" + b"\xff" * 40])
    def test_where_a_profile_is_garbage_and_that_is_counted(self, general, ask, garbage):
        Profile.objects.filter(visitor=visitor(ANNA)).update(history=garbage)
        assert skus(ask()) == general
        assert failure_counts == {("customer", "DataError"): 1}

    def test_where_ranking_fails_and_that_is_counted(self, general, ask):
        def fail(*arguments):
            raise FloatingPointError

        page, selection = page_of(ask(), conf.CATALOG()), Selection(personalise=RankerPersonaliser(rerank=fail))
        block = block_of(page, "for_you", None, 8, selection=selection)
        assert [offer.item for offer in block.offers] == general
        assert failure_counts == {("personal", "FloatingPointError"): 1}

    def test_by_a_release_without_a_model(self, general, ask):
        Release.objects.filter(pk=Publication.objects.get().release_id).update(digest="")
        assert skus(ask()) == general
        assert not failure_counts
