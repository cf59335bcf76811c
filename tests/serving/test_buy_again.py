"""What a known shopper is due to buy again: shown to them alone, and only what may be sold to them now."""

import re
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.template import Context, Template
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from ecomrec_django.conf import conf
from ecomrec_django.failures import failure_counts
from ecomrec_django.models import Event, Item, Release, Rule, Visitor
from ecomrec_django.serving.batch import BatchRequest, recommend
from ecomrec_django.serving.model_cache import MODELS, cached_model
from ecomrec_django.serving.offers import offers
from ecomrec_django.serving.rulebook import invalidate_rulebook
from ecomrec_django.serving.slots import slot_offers
from ecomrec_django.testing import override_ecomrec
from ecomrec_django.tracking.consent import CONSENT_COOKIE, exclude
from ecomrec_django.tracking.request_state import request_state
from ecomrec_django.tracking.visitors import COOKIE, sign_cookie, token_key
from example_shop.models import Product
from tests.support.queries import without_savepoints
from tests.support.staple_shop import token

pytestmark = pytest.mark.django_db
ANNA, BEN = 0, 1
STRANGER = "f" * 32


@pytest.fixture
def shop(staple_shop, settings, time_machine):
    """The trained shop nine days later, when all weekly staples are due."""
    settings.ECOMREC = {**settings.ECOMREC, "ARTIFACTS": staple_shop.artifacts}
    failure_counts.clear()
    MODELS.reset()
    release = Release.objects.get()
    assert cached_model(release.pk, release.digest, wait=True)
    time_machine.move_to(timezone.now() + timedelta(days=9))
    yield staple_shop
    MODELS.reset()
    failure_counts.clear()


@pytest.fixture
def ask(rf):
    """A request of one customer's browser."""

    def ask(customer=ANNA, consent="yes"):
        request = rf.get("/")
        request.COOKIES |= {
            CONSENT_COOKIE: consent,
            COOKIE: sign_cookie(customer if isinstance(customer, str) else token(customer)),
        }
        return request

    return ask


def skus(request, limit=4) -> list[str]:
    return [offer.item for offer in offers(request, "buy_again", None, limit).offers]


def buys(customer: int, name: str, time: datetime) -> None:
    Event.objects.create(
        kind="purchase",
        item=Item.objects.get(external_id=name),
        visitor=Visitor.objects.get(key=token_key(token(customer))),
        time=time,
        policy="1",
        basket="new",
    )


class TestWhatIsDue:
    @pytest.mark.parametrize("customer", [ANNA, BEN, 42])
    def test_a_shopper_is_offered_their_own_staples(self, shop, ask, customer):
        assert set(skus(ask(customer))) == set(shop.staples[customer])
        assert not failure_counts

    def test_the_reason_says_how_often_and_when_last(self, shop, ask):
        for offer in offers(ask(), "buy_again").offers:
            times = Event.objects.filter(visitor__key=token_key(token(ANNA)), item__external_id=offer.item).count()
            assert re.fullmatch(rf"You bought this {times} times, the last time \d+ (days|weeks) ago", offer.reason)

    @pytest.mark.parametrize(("customer", "consent"), [(ANNA, "no"), (ANNA, ""), (STRANGER, "yes"), ("forged", "yes")])
    def test_nobody_else_is_offered_anything(self, shop, ask, customer, consent):
        assert skus(ask(customer, consent)) == []
        assert not failure_counts

    def test_a_stranger_is_not_offered_anything_after_a_view(self, shop, ask):
        new = Visitor.objects.create(key=token_key(STRANGER))
        Event.objects.create(kind="view_item", item=Item.objects.first(), visitor=new, time=timezone.now(), policy="1")
        assert skus(ask(STRANGER)) == []

    def test_who_withdrew_is_not_offered_anything(self, shop, ask):
        exclude(token_key(token(ANNA)))
        assert skus(ask()) == []

    def test_what_was_bought_a_moment_ago_is_not_due(self, shop, ask):
        first = skus(ask())[0]
        buys(ANNA, first, timezone.now() - timedelta(hours=1))
        assert first not in skus(ask(), 20)

    def test_what_is_bought_once_is_never_due(self, shop, ask):
        for customer in range(12):
            assert shop.appliance[customer] not in skus(ask(customer), 20)

    def test_what_cannot_be_sold_is_not_offered(self, shop, ask):
        sold_out, hidden, *_ = skus(ask())
        Product.objects.filter(sku=sold_out).update(stock=0)
        Rule.objects.create(name="Not now", action=Rule.Action.HIDE, item=Item.objects.get(external_id=hidden))
        invalidate_rulebook()
        assert not {sold_out, hidden} & set(skus(ask(), 20))

    def test_what_is_in_the_cart_is_not_offered(self, shop, ask):
        first = skus(ask())[0]
        request = ask()
        request.session = {"cart": {first: 1}}
        assert first not in [offer.item for offer in slot_offers(request, "again", [first], limit=20).offers]

    def test_approval_of_lists_does_not_concern_what_a_shopper_bought(self, shop, ask):
        before = skus(ask())
        with override_ecomrec(REVIEW="all"):
            assert skus(ask()) == before

    def test_without_a_useful_ranker_the_habit_decides(self, shop, ask, monkeypatch):
        monkeypatch.setattr("ecomrec_django.serving.reranking.RankingContext.ranker", lambda *_: None)
        assert set(skus(ask())) == set(shop.staples[ANNA])
        assert not failure_counts

    def test_a_block_costs_two_queries_beside_the_one_that_knows_the_shopper(self, shop, ask):
        offers(ask(BEN), "buy_again")
        request = ask()
        with CaptureQueriesContext(connection) as queries:
            assert skus(request)
        assert len(without_savepoints(queries)) <= 3

    def test_a_page_that_shows_it_is_private(self, shop, ask):
        request = ask()
        assert skus(request)
        assert request_state(request).personal

    def test_the_tag_the_slot_and_the_endpoint_show_the_same(self, shop, ask, client):
        expected = skus(ask())
        html = Template("{% load ecomrec %}{% buy_again %}").render(Context({"request": ask()}))
        assert all(Product.objects.get(sku=name).title in html for name in expected)
        assert "Time to buy again" in html
        assert [offer.item for offer in slot_offers(ask(), "again").offers] == expected
        client.cookies[COOKIE], client.cookies[CONSENT_COOKIE] = sign_cookie(token(ANNA)), "yes"
        response = client.get(reverse("ecomrec:buy-again"), {"limit": 4})
        assert [offer["item"] for offer in response.json()["offers"]] == expected
        assert "private" in response["Cache-Control"]
        assert client.get(reverse("ecomrec:buy-again"), {"limit": 0}).status_code == 400

    def test_a_campaign_gets_the_same(self, shop, ask):
        anna = Visitor.objects.get(key=token_key(token(ANNA)))
        Event.objects.filter(visitor=anna).update(policy="1")
        rows = [
            BatchRequest(line=number, request=name, strategy="buy_again", items=(), visitor=name, limit=4)
            for number, name in enumerate((token_key(token(ANNA)), token_key(STRANGER)))
        ]
        known, unknown = recommend(rows)
        assert [eligible.offer.item for eligible in known.offers] == skus(ask())
        assert unknown.offers == []

    def test_another_block_of_the_page_does_not_repeat_it(self, shop, ask):
        request = ask()
        again = skus(request)
        assert not set(again) & {offer.item for offer in offers(request, "for_you", limit=8).offers}

    def test_it_is_evaluated_on_the_shoppers_with_something_due(self, shop):
        evaluation = Release.objects.get().evaluation
        assert evaluation["objectives"]["buy_again"] == "ndcg"
        assert evaluation["tasks"]["buy_again"]["cases"] > 50
        figures = {
            name: evaluation["methods"][name]["ndcg"]["mean"] for name in evaluation["methods"] if "buy_again" in name
        }
        assert set(figures) == {f"buy_again{variant}" for variant in ("", ":popularity", ":own", ":for_you")}
        assert figures["buy_again"] > figures["buy_again:popularity"] + 0.1
        assert not Release.objects.get().held_back


def test_the_setting_names_it_by_default():
    assert conf.SLOTS["again"] == {"chain": ["buy_again"]}
