"""Invented visitors neither report the blocks of others nor decide what everybody is shown."""

import secrets
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ecomrec_django.insights.experiments import evaluate
from ecomrec_django.models import Arm, Event, Experiment, Exposure, Impression, Item, Kind, Visitor
from ecomrec_django.serving.offers import offers
from ecomrec_django.serving.tokens import open_block, seal_block
from ecomrec_django.testing import publish_offers
from ecomrec_django.tracking.consent import CONSENT_COOKIE
from ecomrec_django.tracking.intake import MAX_SHARED_VISITORS, store
from ecomrec_django.tracking.observation import Observation, ShownOffer
from ecomrec_django.tracking.omissions import Reason, omitted_count
from ecomrec_django.tracking.visitors import COOKIE, merge, sign_cookie, token_key, user_key
from tests.support.shoppers import TOKEN, asking, remember

pytestmark = pytest.mark.django_db
BEACON = reverse("ecomrec:beacon")
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
OWN = seal_block("bought_with", 1, "a", ["b"], arm="1", slot="product", visitor=token_key(TOKEN))


@pytest.fixture
def item():
    return Item.objects.create(external_id="b", title="b")


def click(block, cookie="", **headers):
    client = Client(HTTP_USER_AGENT=BROWSER, **headers)
    client.cookies[CONSENT_COOKIE] = "yes"
    if cookie:
        client.cookies[COOKIE] = cookie
    answer = client.post(BEACON, {"reports": [{"block": block, "clicked": 1}]}, content_type="application/json")
    assert answer.status_code == 204


def test_a_block_made_for_a_visitor_counts_for_them_alone(item):
    others = [sign_cookie(secrets.token_hex(16)) for _ in range(3)]
    for cookie in (*others, "", sign_cookie(TOKEN), sign_cookie(TOKEN)):
        click(OWN, cookie)
    assert Impression.objects.exclude(clicked=None).get().visitor.key == token_key(TOKEN)
    assert Event.objects.count() == 1
    assert omitted_count(Reason.OTHERS) == 4


def test_a_block_that_caches_share_counts_for_a_limited_number(item):
    shown = ShownOffer(nonce="n", strategy="bought_with", release=1, arm="", anchor="", position=1)
    for first in range(0, 300, 100):
        seen = [
            Observation(kind=Kind.SELECT_ITEM, item="b", visitor=token_key(str(number)), shown=shown)
            for number in range(first, first + 100)
        ]
        store(seen)
    assert Impression.objects.count() == Event.objects.count() == MAX_SHARED_VISITORS
    assert omitted_count(Reason.OTHERS) == 300 - MAX_SHARED_VISITORS


def test_reports_under_invented_cookies_are_not_counted(item):
    shared = seal_block("bought_with", 1, "a", ["b"])
    for _ in range(3):
        click(shared, secrets.token_hex(16))
    assert not Impression.objects.exists()
    assert not Visitor.objects.exists()
    assert omitted_count(Reason.FORGED) == 3


def test_a_click_in_a_page_from_before_the_login_counts_for_the_account(item):
    Visitor.objects.create(key=token_key(TOKEN))
    merge(TOKEN, 7)
    block = open_block(OWN)
    shown = ShownOffer(
        nonce=block.nonce, strategy="bought_with", release=1, arm="", anchor="", position=1, visitor=block.visitor
    )
    store([Observation(kind=Kind.SELECT_ITEM, item="b", visitor=user_key(7), shown=shown)])
    assert Impression.objects.get().visitor.key == user_key(7)


@pytest.mark.once
def test_only_pages_of_a_known_shopper_are_made_for_them(integer_key_shop):
    publish_offers({"for_you": {"": ["4", "5"]}})
    remember("9")
    for request, is_bound in ((asking(), True), (asking(consent="no"), False), (None, False)):
        assert bool(open_block(offers(request, "for_you", []).token).visitor) is is_bound


class TestBandit:
    @pytest.fixture
    def experiment(self, planted_shop):
        now = timezone.now()
        made = Experiment.objects.create(
            name="first",
            slot="home",
            mode="bandit",
            objective="clicks",
            holdout=0,
            status="running",
            started=now - timedelta(days=9),
        )
        for name in "ab":
            Arm.objects.create(experiment=made, name=name)
        return made

    def meet(self, experiment, prefix, counts, clicks, first_seen):
        """As many visitors of each arm, of whom some click."""
        item, _ = Item.objects.get_or_create(external_id="b", defaults={"title": "b"})
        time = timezone.now() - timedelta(hours=2)
        for arm in experiment.arms.all():
            keys = [f"{prefix}{arm.name}{number}" for number in range(counts[arm.name])]
            Visitor.objects.bulk_create(Visitor(key=key) for key in keys)
            Visitor.objects.filter(key__in=keys).update(created=time - first_seen)
            visitors = list(Visitor.objects.filter(key__in=keys).order_by("pk"))
            Exposure.objects.bulk_create(
                Exposure(arm=arm, visitor=visitor, time=time, propensity=0.5, key=visitor.key) for visitor in visitors
            )
            Impression.objects.bulk_create(
                Impression(
                    visitor=visitor,
                    item=item,
                    strategy="next_item",
                    slot="home",
                    arm=str(arm.pk),
                    position=1,
                    time=time,
                    clicked=time if number < clicks[arm.name] else None,
                    key=visitor.key,
                )
                for number, visitor in enumerate(visitors)
            )

    def shares(self, experiment):
        evaluate(experiment)
        return {arm.name: arm.shares["0"] for arm in experiment.arms.all()}

    def test_six_hundred_invented_visitors_move_no_share(self, experiment):
        self.meet(experiment, "known", {"a": 300, "b": 300}, {"a": 30, "b": 30}, timedelta(days=3))
        before = self.shares(experiment)
        self.meet(experiment, "new", {"a": 300, "b": 300}, {"a": 0, "b": 300}, timedelta(minutes=1))
        after = self.shares(experiment)
        assert after == pytest.approx(before, abs=0.02)

    def test_known_visitors_do(self, experiment):
        self.meet(experiment, "known", {"a": 600, "b": 600}, {"a": 30, "b": 330}, timedelta(days=3))
        assert self.shares(experiment)["b"] > 0.9
