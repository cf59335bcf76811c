"""Offers for one shopper: what they buy first, for them alone, and only while they agree to be known."""

import json
import shutil

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from ecomrec_django.models import Event, Item, Profile, Publication, Release, Visitor
from ecomrec_django.pipeline.learned import folder_of
from ecomrec_django.privacy.erasure import erase
from ecomrec_django.serving import learned
from ecomrec_django.serving.failures import failures
from ecomrec_django.serving.learned import model_of
from ecomrec_django.serving.offers import offers
from ecomrec_django.serving.page import page_of
from ecomrec_django.tracking.consent import CONSENT_COOKIE, exclude
from ecomrec_django.tracking.visitors import COOKIE, merge, token_key, user_key
from example_shop.models import Product
from tests.staple_shop import APPLIANCES, PER_AISLE, token

pytestmark = pytest.mark.django_db
ANNA, BEN = 0, 1
APPLIANCE_NAMES = [f"{APPLIANCES}-{place}" for place in range(PER_AISLE)]
STRANGER = "f" * 32


@pytest.fixture
def shop(staple_shop, settings):
    """The trained shop, its model in this process."""
    settings.ECOMREC = {**settings.ECOMREC, "ARTIFACTS": staple_shop.artifacts}
    failures.clear()
    learned._models.clear()
    release = Release.objects.get()
    assert model_of(release.pk, release.digest, wait=True)
    yield staple_shop
    learned._models.clear()
    failures.clear()


@pytest.fixture
def ask(rf):
    """A request of one customer's browser."""

    def ask(customer=ANNA, consent="yes", user=None, **headers):
        request = rf.get("/", **headers)
        cookie = customer if isinstance(customer, str) else token(customer)
        request.COOKIES |= {CONSENT_COOKIE: consent, COOKIE: cookie}
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
        assert not failures

    def test_sees_them_beside_a_product_too_and_not_another_customers(self, shop, ask):
        anchor = next(name for name in shop.staples[BEN] if aisle(name) not in map(aisle, shop.staples[ANNA]))
        for customer in (ANNA, BEN):
            own = elsewhere(shop, customer, [anchor])
            assert set(skus(ask(customer), "bought_with", [anchor], len(own))) == set(own)

    def test_is_told_how_often_they_bought_what_no_list_holds(self, shop, ask):
        listed = skus(ask(consent="no"), limit=20)
        added = [offer for offer in offers(ask(), "for_you", None, 4).offers if offer.item not in listed]
        assert added
        for offer in added:
            baskets = Event.objects.filter(visitor=visitor(ANNA), item__external_id=offer.item).count()
            assert offer.reason == f"You bought it {baskets} times"

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

    def test_costs_three_queries_for_a_block_and_one_for_the_customer_on_a_page(self, shop, ask):
        with CaptureQueriesContext(connection) as queries:
            assert skus(ask(), limit=4)
        assert len(queries) <= 3
        request = ask()
        anchor = shop.staples[ANNA][0]
        with CaptureQueriesContext(connection) as queries:
            assert skus(request, limit=4)
            assert skus(request, "bought_with", [anchor], 4)
            assert skus(request, "bought_with", [shop.staples[BEN][1]], 4)
        assert len(ours(queries)) == 1
        assert len(queries) <= 7

    def test_is_known_on_the_next_page_by_what_they_looked_at(self, shop, ask):
        before = page_of(ask(), None).known
        bought = set(Event.objects.filter(visitor=visitor(ANNA)).values_list("item__external_id", flat=True))
        name = next(name for name in APPLIANCE_NAMES if name not in bought)
        happens("view_item", name, visitor(ANNA))
        after = page_of(ask(), None).known.shopper
        number = before.model.names.numbers([name])
        assert not np.isin(number, before.shopper.seen[0])
        assert after.seen[0].tolist() == number.tolist()
        assert np.isin(number, after.candidates)

    def test_who_is_new_sees_on_the_next_page_what_they_bought(self, shop, ask):
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
        assert receipt.removed["profiles"] == 1
        assert not Profile.objects.filter(visitor__key=token_key(token(ANNA))).exists()
        assert skus(ask()) == general
        assert page_of(ask(), None).customer is None

    def test_finds_their_segment_in_the_export(self, shop, client):
        client.cookies[COOKIE] = token(ANNA)
        said = json.loads(client.get(reverse("ecomrec:me")).getvalue())
        row = Profile.objects.get(visitor=visitor(ANNA))
        assert said["profiles"] == [{"segment": row.segment.described, "until": row.until.isoformat()}]


class TestTheGeneralListIsShown:
    """Without an error, to whom is not or may not be known."""

    @pytest.fixture
    def general(self, shop, ask):
        found = skus(ask(STRANGER, consent="no"))
        assert len(found) == 8
        assert set(found[:4]) != set(shop.staples[ANNA])
        yield found
        assert not {name for name, _ in failures} & {"for_you", "bought_with"}

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
        assert not failures

    def test_and_then_nothing_is_read_of_anybody(self, general, ask):
        for request in (ask(consent="no"), ask(HTTP_DNT="1")):
            with CaptureQueriesContext(connection) as queries:
                skus(request)
            assert not ours(queries)
            assert not getattr(request, "_ecomrec_personal", False)
        personal = ask()
        skus(personal)
        assert personal._ecomrec_personal

    def test_to_a_cookie_that_has_joined_an_account_and_lives_on(self, general, ask):
        merge(token(ANNA), User.objects.create_user("anna").pk)
        assert skus(ask()) == general
        assert not failures

    def test_to_who_withdrew(self, general, ask):
        exclude(token_key(token(ANNA)))
        assert skus(ask()) == general
        assert not failures

    def test_before_the_model_is_in_the_process_and_the_page_does_not_wait(self, general, ask, monkeypatch):
        learned._models.clear()
        started = []
        monkeypatch.setattr(learned, "_started", lambda *release: started.append(release))
        assert skus(ask()) == general
        release = Release.objects.get()
        assert started == [(release.pk, release.digest)]
        assert not failures

    @pytest.mark.parametrize("change", ["missing", "broken"])
    def test_where_the_models_folder_is_wrong_and_that_is_counted(self, general, ask, settings, tmp_path, change):
        release = Release.objects.get()
        if change == "broken":
            shutil.copytree(folder_of(release.pk), tmp_path / "releases" / str(release.pk))
            (tmp_path / "releases" / str(release.pk) / "ids.npy").write_bytes(b"nonsense")
        settings.ECOMREC = {**settings.ECOMREC, "ARTIFACTS": tmp_path}
        learned._models.clear()
        assert model_of(release.pk, release.digest, wait=True) is None
        assert skus(ask()) == general
        assert failures == {("model", "DataError"): 1}
        # It is not tried again at once, by every page.
        assert model_of(release.pk, release.digest, wait=True) is None
        assert failures == {("model", "DataError"): 1}

    @pytest.mark.parametrize("garbage", [b"", b"nonsense", b"\x01\x04" + b"\xff" * 40])
    def test_where_a_profile_is_garbage_and_that_is_counted(self, general, ask, garbage):
        Profile.objects.filter(visitor=visitor(ANNA)).update(past=garbage)
        assert skus(ask()) == general
        assert failures == {("customer", "DataError"): 1}

    def test_where_ranking_fails_and_that_is_counted(self, general, ask, monkeypatch):
        def fail(*args, **kwargs):
            raise FloatingPointError

        monkeypatch.setattr("ecomrec_django.serving.personal.ranked", fail)
        assert skus(ask()) == general
        assert failures == {("personal", "FloatingPointError"): 1}

    def test_by_a_release_without_a_model(self, general, ask):
        Release.objects.filter(pk=Publication.objects.get().release_id).update(digest="")
        assert skus(ask()) == general
        assert not failures
