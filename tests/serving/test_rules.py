"""A merchant's rules: hide, show only, boost; where, beside what, for whom and while they are in force."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test import RequestFactory

from ecomrec_django.catalog.categories import CategoryTree
from ecomrec_django.catalog.sync import sync
from ecomrec_django.failures import failure_counts
from ecomrec_django.models import Item, Override, Rule, Segment
from ecomrec_django.serving.offers import offers
from ecomrec_django.serving.page import Page
from ecomrec_django.serving.rulebook import current_rulebook
from ecomrec_django.serving.selection import examine
from ecomrec_django.serving.slots import slot_offers
from ecomrec_django.strategies.base import Violation
from ecomrec_django.testing import override_ecomrec, publish_offers
from tests.hosts.models import IntegerProduct

from ..support.catalogs import CartCatalog
from ..support.shoppers import asking, remember

# Product -> what the mirror says of it.
SHELVES = {
    "1": {"category": ("Bikes", "City")},
    "2": {"category": ("Bikes", "City"), "brand": "Northwind"},
    "3": {"category": ("Bikes", "Cargo"), "brand": "Contoso", "cost": 1},
    "4": {"category": ("Bikesheds",), "brand": "Contoso", "cost": 3},
    "5": {"category": ("Helmets",), "attributes": {"Season": "Summer"}},
    "6": {"category": (), "attributes": {"season": "winter"}},
}


@pytest.fixture(autouse=True)
def _shelves(integer_key_shop):
    tree = CategoryTree()
    for name, facts in SHELVES.items():
        facts = {"category_id": tree.pk(facts["category"]), **{k: v for k, v in facts.items() if k != "category"}}
        Item.objects.create(external_id=name, title=name, price=int(name), **facts)
    Item.objects.exclude(external_id="6").update(first_seen=datetime.now(UTC) - timedelta(days=60))
    publish_offers({"bought_with": {"1": ["2", "3", "4", "5", "6"]}, "for_you": {"": ["6", "5", "2"]}})


@pytest.fixture
def rule(django_capture_on_commit_callbacks):
    def make(action, category="", beside="", **fields):
        tree = CategoryTree()
        for name, path in (("category", category), ("anchor_category", beside)):
            if path:
                fields[f"{name}_id"] = tree.pk(tuple(path.split(" > ")))
        with django_capture_on_commit_callbacks(execute=True):
            return Rule.objects.create(name=f"{action} rule", action=action, **fields)

    return make


def shown(anchors=("1",), strategy="bought_with", request=None, limit=4):
    request = request or RequestFactory().get("/")
    found = [offer.item for offer in offers(request, strategy, anchors, limit).offers]
    assert not failure_counts
    return found


@pytest.mark.parametrize(
    ("conditions", "hidden"),
    [
        ({"category": "Bikes"}, "23"),
        ({"category": "Bikes > Cargo"}, "3"),
        ({"brand": "CONTOSO"}, "34"),
        ({"attribute": "season"}, "56"),
        ({"attribute": "season", "value": "summer"}, "5"),
        ({"new_days": 30}, "6"),
        ({"lowest_price": 4}, "456"),
        ({"highest_price": 3}, "23"),
        ({"lowest_price": 3, "highest_price": 4}, "34"),
        ({"lowest_margin": 0.5}, "3"),
        ({"highest_margin": 0.5}, "4"),
        ({"highest_stock": 1}, "23456"),
        ({"lowest_stock": 2}, ""),
        ({"brand": "contoso", "lowest_price": 4}, "4"),
        ({}, "23456"),
    ],
    ids=str,
)
class TestOffersThatFit:
    def test_are_hidden_by_a_rule_that_hides(self, rule, conditions, hidden):
        rule("hide", **conditions)
        assert shown(limit=5) == [item for item in "23456" if item not in hidden]

    def test_are_all_that_is_left_by_a_rule_that_shows_only_these(self, rule, conditions, hidden):
        rule("only", **conditions)
        assert shown(limit=5) == list(hidden)

    def test_go_ahead_by_a_boost_which_never_shortens_a_list(self, rule, conditions, hidden):
        rule("boost", factor=100, **conditions)
        assert shown(limit=5) == [*hidden, *(item for item in "23456" if item not in hidden)]

    def test_fall_behind_by_a_boost_below_one(self, rule, conditions, hidden):
        rule("boost", factor=0.001, **conditions)
        assert shown(limit=5) == [*(item for item in "23456" if item not in hidden), *hidden]


def test_show_only_rules_allow_what_any_of_them_allows(rule):
    rule("only", category="Helmets")
    rule("only", brand="Northwind")
    assert shown() == ["2", "5"]


def test_hiding_outweighs_showing_only_and_boosting(rule):
    rule("only", category="Bikes")
    rule("boost", brand="Contoso", factor=50)
    rule("hide", brand="Contoso")
    assert shown() == ["2"]


def test_the_stock_and_price_of_this_moment_count(rule):
    rule("hide", highest_stock=2, lowest_price=3)
    IntegerProduct.objects.filter(pk__in=[3, 4]).update(stock=7)
    IntegerProduct.objects.filter(pk=5).update(price=2)
    assert shown(limit=5) == ["2", "3", "4", "5"]


@pytest.mark.parametrize("discount", [1, "0.5", 150], ids=["list price", "group discount", "other currency"])
@pytest.mark.parametrize(
    ("conditions", "hidden"),
    [({"lowest_price": 4}, "456"), ({"highest_margin": 0.3}, "4"), ({"lowest_margin": 0.5}, "3")],
    ids=str,
)
def test_prices_and_margins_are_the_same_for_every_visitor(rule, conditions, hidden, discount):
    rule("hide", **conditions)
    request = RequestFactory().get("/")
    request.discount = discount
    assert shown(request=request, limit=5) == [name for name in "23456" if name not in hidden]


def test_a_price_that_fails_is_unknown(rule, monkeypatch):
    rule("only", lowest_price=2)
    monkeypatch.setattr(CartCatalog, "price", lambda self, product, request: Decimal(5))
    monkeypatch.setattr(CartCatalog, "base_price", lambda self, product: 1 / 0)
    assert offers(RequestFactory().get("/"), "bought_with", ["1"], 4).offers == []
    assert failure_counts.pop(("base_price", "ZeroDivisionError")) == 5


def test_a_rule_holds_for_its_strategy_slot_and_anchors_alone(rule):
    rule("hide", strategy="for_you", category="Helmets")
    rule("hide", slot="home", brand="Northwind")
    rule("hide", beside="Helmets", attribute="season")
    assert shown(limit=5) == ["2", "3", "4", "5", "6"]
    assert shown((), "for_you") == ["6", "2"]
    home = slot_offers(RequestFactory().get("/"), "home", [])
    assert [offer.item for offer in home.offers] == ["6"]
    publish_offers({"bought_with": {"5": ["6", "4"], "1": ["6", "4"]}})
    assert shown(("5",)) == ["4"]
    assert shown(("1", "5")) == ["4"]
    assert shown(("1",)) == ["6", "4"]


def test_a_rule_for_a_segment_holds_for_its_shoppers_alone(rule):
    segment = Segment.objects.create(label=1, description="gourmets")
    remember("9", "a" * 32, segment)
    remember("9", "b" * 32)
    rule("hide", brand="Contoso", segment=segment)
    assert shown(request=asking("a" * 32), limit=5) == ["2", "5", "6"]
    for request in (asking("b" * 32), asking("a" * 32, consent="no"), None):
        assert shown(request=request, limit=5) == ["2", "3", "4", "5", "6"]


def test_a_rule_is_in_force_from_its_beginning_to_its_end(rule, time_machine):
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    time_machine.move_to(noon - timedelta(minutes=1))
    rule("hide", brand="Contoso", starts=noon, ends=noon + timedelta(hours=1))
    rule("hide", brand="Northwind", active=False)
    seen = []
    for minutes in (-1, 0, 59, 60):
        time_machine.move_to(noon + timedelta(minutes=minutes))
        seen.append(shown(limit=5) == ["2", "5", "6"])
    assert seen == [False, True, True, False]


def test_a_pin_is_not_moved_by_a_boost_and_obeys_a_rule_that_hides(rule):
    Override.objects.create(
        strategy="bought_with",
        anchor=Item.objects.get(external_id="1"),
        offer=Item.objects.get(external_id="4"),
        action="pin",
    )
    boost = rule("boost", brand="Northwind", factor=100)
    assert shown() == ["4", "2", "3", "5"]
    boost.delete()
    rule("hide", category="Bikesheds")
    assert shown() == ["2", "3", "5", "6"]


def test_hidden_offers_name_their_rule(rule):
    rule("hide", brand="Contoso")
    rule("only", highest_price=5)
    examination = examine(Page(catalog=CartCatalog(), request=RequestFactory().get("/")), "bought_with", ["1"], 5)
    assert {rejected.offer.item: rejected.violation for rejected in examination.rejected} == {
        "3": Violation("hidden_by_rule", {"name": "hide rule"}),
        "4": Violation("hidden_by_rule", {"name": "hide rule"}),
        "6": Violation("not_allowed_by_rules", {"names": "“only rule”"}),
    }


@pytest.mark.parametrize(
    ("action", "conditions", "asked"),
    [("hide", {"highest_price": 3}, 0), ("hide", {"brand": "Contoso"}, 1), ("boost", {"highest_price": 3}, 1)],
)
def test_rules_cost_one_query_for_uncached_items(rule, django_assert_num_queries, action, conditions, asked):
    rule(action, **conditions)
    current_rulebook()
    with django_assert_num_queries(2 + asked):
        shown()
    with django_assert_num_queries(1):
        shown()
    publish_offers({"bought_with": {"1": ["2", "3", "4", "5"], "2": ["1", "5"]}})
    with django_assert_num_queries(2):
        shown()
    with django_assert_num_queries(2):
        shown(("2",))


def test_boosts_use_mirrored_prices_and_hiding_uses_live_ones(rule):
    IntegerProduct.objects.filter(pk=2).update(price=9)
    rule("boost", highest_price=5, factor=100)
    assert shown(limit=5) == ["2", "3", "4", "5", "6"]
    rule("hide", lowest_price=9)
    assert shown(limit=5) == ["3", "4", "5", "6"]
    Item.objects.filter(external_id="6").update(price=5)
    Item.objects.filter(external_id="3").update(price=None)
    rule("boost", brand="nobody's", factor=2)
    assert shown(limit=5) == ["4", "5", "6", "3"]


def test_cached_attributes_are_bounded_and_expire_with_the_rules(rule, monkeypatch):
    rule("hide", brand="Contoso")
    monkeypatch.setattr("ecomrec_django.serving.rulebook.MAX_CACHED_ITEMS", 7)
    assert shown(limit=5) == ["2", "5", "6"]
    assert set(current_rulebook().item_attributes(["2", "3", "unknown", "nowhere"])) == {"2", "3", "unknown", "nowhere"}
    assert len(current_rulebook()._attributes) == 2
    Item.objects.filter(external_id="2").update(brand="Contoso")
    assert shown(limit=5) == ["5", "6"]


def test_a_sync_invalidates_cached_attributes(rule, django_capture_on_commit_callbacks):
    rule("boost", highest_price=3, factor=100)
    assert shown(limit=5) == ["2", "3", "4", "5", "6"]
    IntegerProduct.objects.filter(pk=6).update(price=1)
    assert shown(limit=5) == ["2", "3", "4", "5", "6"]
    with django_capture_on_commit_callbacks(execute=True):
        sync()
    assert shown(limit=5) == ["2", "3", "6", "4", "5"]


def test_a_change_of_a_rule_is_seen_at_once(rule, django_capture_on_commit_callbacks):
    made = rule("hide", brand="Contoso")
    assert shown(limit=5) == ["2", "5", "6"]
    with django_capture_on_commit_callbacks(execute=True):
        made.brand = "Northwind"
        made.save()
    assert shown(limit=5) == ["3", "4", "5", "6"]
    with django_capture_on_commit_callbacks(execute=True):
        made.delete()
    assert shown(limit=5) == ["2", "3", "4", "5", "6"]


def test_a_block_whose_rules_cannot_be_read_shows_nothing(rule):
    def without_rules(execute, sql, params, many, context):
        return execute(sql.replace("ecomrec_rule", "ecomrec_not_migrated"), params, many, context)

    rule("hide", brand="Contoso")
    with connection.execute_wrapper(without_rules), transaction.atomic():
        assert not offers(RequestFactory().get("/"), "bought_with", ["1"])
    assert [where for where, _ in failure_counts] == ["bought_with"]
    failure_counts.clear()


class TestOfferSeenAgainAndAgain:
    """With a cap of two views within seven days."""

    @pytest.fixture(autouse=True)
    def _cap(self, integer_key_shop):
        self.visitor = remember("9", "a" * 32)
        # Only strategies that are ordered for who asks look at who it is.
        with override_ecomrec(FREQUENCY_CAP={"views": 2, "days": 7}, STRATEGIES=PERSONAL):
            yield

    def see(self, item, times, clicked=None, days=0):
        from ecomrec_django.models import Impression

        now = datetime.now(UTC) - timedelta(days=days)
        for number in range(times):
            Impression.objects.create(
                visitor=self.visitor,
                item=Item.objects.get(external_id=item),
                strategy="bought_with",
                position=1,
                time=now,
                clicked=now if clicked and not number else None,
                key=f"{item} {days} {number}",
            )

    def seen_by(self, token="a" * 32, **options):
        return shown(request=asking(token), limit=5, **options)

    def test_gives_way_to_others_and_comes_back_when_those_were_seen_as_often(self):
        assert self.seen_by() == ["2", "3", "4", "5", "6"]
        self.see("2", 2)
        assert self.seen_by() == ["3", "4", "5", "6", "2"]
        for item in "3456":
            self.see(item, 2)
        assert self.seen_by() == ["2", "3", "4", "5", "6"]

    def test_stays_below_the_cap_or_once_clicked_or_seen_long_ago(self):
        self.see("2", 1)
        self.see("3", 5, clicked=True)
        self.see("4", 5, days=8)
        assert self.seen_by() == ["2", "3", "4", "5", "6"]

    def test_stays_for_all_others(self):
        self.see("2", 9)
        assert self.seen_by("b" * 32) == ["2", "3", "4", "5", "6"]
        assert shown(limit=5) == ["2", "3", "4", "5", "6"]

    def test_stays_where_it_is_pinned_or_there_is_no_cap(self):
        self.see("2", 9)
        with override_ecomrec(FREQUENCY_CAP=None):
            assert self.seen_by() == ["2", "3", "4", "5", "6"]
        Override.objects.create(
            strategy="bought_with",
            anchor=Item.objects.get(external_id="1"),
            offer=Item.objects.get(external_id="2"),
            action="pin",
        )
        publish_offers({"bought_with": {"1": ["2", "3", "4", "5", "6"]}})
        assert self.seen_by() == ["2", "3", "4", "5", "6"]

    def test_costs_no_query_of_its_own(self, django_assert_num_queries):
        self.see("2", 9)
        with django_assert_num_queries(3):
            self.seen_by()


PERSONAL = {
    "bought_with": "tests.support.catalogs.AnyPersonal",
    "for_you": "ecomrec_django.strategies.for_you.ForYou",
}
