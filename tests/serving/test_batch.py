"""Offers in bulk for known shoppers are those that their pages show."""

import csv
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ecomrec_django.models import Erasure, Event, Impression, Item, Rule, Segment, Visitor
from ecomrec_django.privacy.erasure import erase
from ecomrec_django.serving.batch import parse, recommend
from ecomrec_django.serving.batch_shoppers import Audience, visitor_keys
from ecomrec_django.serving.model_cache import MODELS
from ecomrec_django.serving.offers import offers
from ecomrec_django.testing import override_ecomrec
from ecomrec_django.tracking.consent import CONSENT_COOKIE, agree, exclude
from ecomrec_django.tracking.visitors import COOKIE, merge, sign_cookie, sign_token, token_key, user_key
from tests.support.staple_shop import START, sku, token

pytestmark = pytest.mark.django_db
ANNA, BEN = 0, 1


@pytest.fixture
def shop(staple_shop, settings):
    """The trained shop, whose customers agreed; no process knows its model yet."""
    settings.ECOMREC = {**settings.ECOMREC, "ARTIFACTS": staple_shop.artifacts}
    MODELS.reset()
    for customer in (ANNA, BEN):
        agreed(customer)
    yield staple_shop
    MODELS.reset()


def visitor(customer):
    return Visitor.objects.get(key=token_key(token(customer)))


def agreed(customer, time=START):
    item = Item.objects.get(external_id=sku(0, 0))
    Event.objects.create(visitor=visitor(customer), item=item, kind="view_item", time=time, policy="1")


def ask(customer):
    request = RequestFactory().get("/")
    request.COOKIES |= {CONSENT_COOKIE: "yes", COOKIE: sign_cookie(token(customer))}
    return request


def rows(*given, **fields):
    defaults = {"strategy": "for_you", "items": "", "limit": "8", **fields}
    return [parse(n, {"request": str(n), "visitor": name, **defaults}) for n, name in enumerate(given)]


def answers(*given, **fields):
    """Audience and offers of one request for each visitor."""
    return [
        (result.audience, [each.offer.item for each in result.offers]) for result in recommend(rows(*given, **fields))
    ]


def page(customer, strategy="for_you", anchors=None):
    return [offer.item for offer in offers(ask(customer), strategy, anchors, 8).offers]


def segment_rule(segment, name):
    return Rule.objects.create(name="no", action="hide", segment=segment, item=Item.objects.get(external_id=name))


def test_the_names_of_a_visitor_are_keys_accounts_and_tokens(db):
    assert visitor_keys("a" * 64) == ["a" * 64]
    assert visitor_keys("17")[0] == user_key(17)
    assert visitor_keys("17")[1] == token_key("17")
    assert visitor_keys("anna@example.com") == [token_key("anna@example.com")]
    signed = sign_token("b" * 32)
    assert visitor_keys(signed) == [token_key("header:" + "b" * 32)]


class TestOffersInBulk:
    def test_a_known_shopper_gets_what_their_page_shows(self, shop):
        answered = answers(token(ANNA), token(BEN), token(ANNA))
        assert answered == [(Audience.PERSONAL, page(customer)) for customer in (ANNA, BEN, ANNA)]
        assert answered[0][1] != answered[1][1]
        assert set(shop.staples[ANNA]) <= set(answered[0][1])

    def test_beside_items_too(self, shop):
        anchors = [shop.staples[BEN][0], shop.staples[BEN][1]]
        assert answers(token(ANNA), strategy="bought_with", items="|".join(anchors)) == [
            (Audience.PERSONAL, page(ANNA, "bought_with", anchors))
        ]

    def test_what_they_did_since_the_training_counts(self, shop):
        before = answers(token(ANNA))[0][1]
        item = Item.objects.get(external_id=next(name for name in shop.staples[BEN] if name not in before))
        for kind in ("view_item", "add_to_cart"):
            Event.objects.create(visitor=visitor(ANNA), item=item, kind=kind, time=timezone.now(), policy="1")
        assert answers(token(ANNA)) == [(Audience.PERSONAL, page(ANNA))]
        assert answers(token(ANNA))[0][1] != before

    def test_offers_seen_often_give_way_as_on_a_page(self, shop):
        first = answers(token(ANNA))[0][1][0]
        for n in range(6):
            Impression.objects.create(
                visitor=visitor(ANNA), item=Item.objects.get(external_id=first), strategy="for_you", position=1,
                time=timezone.now() - timedelta(hours=n), key=str(n),
            )  # fmt: skip
        assert answers(token(ANNA)) == [(Audience.PERSONAL, page(ANNA))]
        assert answers(token(ANNA))[0][1][0] != first

    def test_a_rule_for_a_segment_holds_for_its_shoppers(self, shop, django_capture_on_commit_callbacks):
        first = answers(token(ANNA))[0][1][0]
        segment = Segment.objects.get(profiles__visitor=visitor(ANNA))
        with django_capture_on_commit_callbacks(execute=True):
            rule = segment_rule(segment, first)
        assert first not in answers(token(ANNA))[0][1]
        with django_capture_on_commit_callbacks(execute=True):
            rule.delete()

    def test_somebody_unknown_gets_what_everybody_gets(self, shop):
        (unknown, offered), (nobody, same) = answers("f" * 32, "")
        assert (unknown, nobody) == (Audience.UNKNOWN, None)
        assert offered == same != []

    def test_orders_alone_are_no_consent(self, shop):
        other = token(7)
        assert answers(other) == [(Audience.NOT_AGREED, answers("")[0][1])]
        with override_ecomrec(CONSENT="ecomrec_django.tracking.consent.opt_out"):
            assert answers(other) == [(Audience.PERSONAL, page(7))]

    def test_who_withdrew_gets_nothing_until_they_agree_again(self, shop):
        exclude(token_key(token(ANNA)))
        assert answers(token(ANNA)) == [(Audience.EXCLUDED, [])]
        with override_ecomrec(CONSENT="ecomrec_django.tracking.consent.opt_out"):
            assert answers(token(ANNA)) == [(Audience.EXCLUDED, [])]
        agree(ask(ANNA), HttpResponse())
        assert answers(token(ANNA))[0][0] is Audience.NOT_AGREED
        agreed(ANNA, timezone.now())
        assert answers(token(ANNA)) == [(Audience.PERSONAL, page(ANNA))]

    def test_who_was_erased_gets_nothing(self, shop):
        erase([token_key(token(ANNA))])
        assert answers(token(ANNA)) == [(Audience.EXCLUDED, [])]

    def test_an_erasure_that_has_not_reached_the_visitor_counts(self, shop):
        Erasure.objects.create(key=token_key(token(ANNA)), time=timezone.now())
        assert answers(token(ANNA)) == [(Audience.EXCLUDED, [])]

    def test_a_cookie_that_joined_an_account_stands_for_it(self, shop):
        user = User.objects.create_user("anna")
        merge(token(ANNA), user.pk)
        assert answers(str(user.pk)) == answers(token(ANNA)) == answers(user_key(user.pk))
        assert answers(str(user.pk))[0][0] is Audience.PERSONAL
        exclude(user_key(user.pk))
        assert answers(str(user.pk), token(ANNA)) == [(Audience.EXCLUDED, [])] * 2

    def test_many_shoppers_cost_as_many_queries_as_few(self, shop):
        with override_ecomrec(CONSENT="ecomrec_django.tracking.consent.opt_out"):
            answers(token(0))
            counts = []
            for customers in (2, 40):
                with CaptureQueriesContext(
                    connection,
                ) as queries:
                    answered = answers(*(token(n) for n in range(customers)))
                assert {audience for audience, _ in answered} == {Audience.PERSONAL}
                counts.append(len(queries))
        assert counts[1] <= counts[0] + 2

    def run(self, folder, capsys, **options):
        call_command("ecomrec_recommend", output=folder / "offers.csv", **options)
        with open(folder / "offers.csv", newline="") as file:
            return list(csv.DictReader(file)), capsys.readouterr().out

    def test_counts_how_visitors_are_treated(self, shop, tmp_path, capsys):
        erase([token_key(token(BEN))])
        lines = ["request,strategy,items,visitor,limit"]
        lines += [f"r{n},for_you,,{name},3" for n, name in enumerate((token(ANNA), token(BEN), token(7), "nobody", ""))]
        (tmp_path / "requests.csv").write_text("\n".join(lines))
        written, said = self.run(tmp_path, capsys, requests=tmp_path / "requests.csv")
        assert {row["request"] for row in written} == {"r0", "r2", "r3", "r4"}
        for text in (
            "1 requests ranked for",
            "1 requests of unknown",
            "1 requests of visitors without",
            "1 requests without",
        ):
            assert text in said

    def test_all_visitors_are_the_accounts_that_are_known_and_agreed(self, shop, tmp_path, capsys):
        users = [User.objects.create_user(name) for name in ("anna", "new", "ben")]
        merge(token(ANNA), users[0].pk)
        merge(token(BEN), users[2].pk)
        exclude(user_key(users[2].pk))
        written, said = self.run(tmp_path, capsys, all_visitors=True, limit="3")
        assert [row["request"] for row in written] == [str(users[0].pk)] * 3
        assert [row["item"] for row in written] == answers(str(users[0].pk))[0][1][:3]
        assert "1 requests ranked for their visitor" in said

    @pytest.mark.parametrize("options", [{"strategy": "bought_with"}, {"strategy": "nonsense"}, {"limit": "many"}])
    def test_a_campaign_of_nothing_is_an_error(self, shop, tmp_path, capsys, options):
        User.objects.create_user("anna")
        with pytest.raises(CommandError):
            self.run(tmp_path, capsys, all_visitors=True, **options)
