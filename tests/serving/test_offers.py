import pytest
from django.test import RequestFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecomrec_django.conf import conf
from ecomrec_django.failures import failure_counts
from ecomrec_django.models import Category, Item, OfferList, Override, Publication, Segment
from ecomrec_django.pipeline.publish import rollback
from ecomrec_django.serving.offer_store import invalidate
from ecomrec_django.serving.offers import block_of, offers
from ecomrec_django.serving.page import Page
from ecomrec_django.serving.selection import RankerPersonaliser, Selection, examine
from ecomrec_django.serving.tokens import open_block
from ecomrec_django.strategies.base import Offer, Reason, encode_offers
from ecomrec_django.testing import override_ecomrec, publish_offers
from tests.hosts.models import IntegerProduct, SlugProduct, UUIDProduct
from tests.support.rules import rules_known

from ..support.catalogs import CartCatalog
from ..support.shoppers import asking, remember


def shown(request, strategy="bought_with", anchors=("1",), limit=4):
    return [offer.item for offer in offers(request, strategy, anchors, limit).offers]


def publish(*items, strategy="bought_with", anchor="1"):
    return publish_offers({strategy: {anchor: list(items)}})


def override(action, offer, position=1, segment=None):
    Override.objects.create(
        strategy="bought_with",
        anchor=Item.objects.get(external_id="1"),
        offer=Item.objects.get_or_create(external_id=offer, defaults={"title": offer})[0],
        action=action,
        position=position,
        segment=segment,
    )
    invalidate()


@pytest.mark.usefixtures("integer_key_shop")
class TestABlock:
    def test_keeps_the_order_of_the_list(self, http_request):
        publish("9", "3", "7", "2")
        assert shown(http_request) == ["9", "3", "7", "2"]

    def test_costs_two_queries_and_one_when_cached(self, http_request, django_assert_num_queries):
        publish("2", "3")
        with django_assert_num_queries(2):
            assert shown(http_request) == ["2", "3"]
        with django_assert_num_queries(1):
            assert shown(RequestFactory().get("/")) == ["2", "3"]

    def test_with_no_list_costs_one_query(self, http_request, django_assert_num_queries):
        publish("2")
        with django_assert_num_queries(1):
            assert shown(http_request, anchors=["5"]) == []

    def test_honours_its_limit_though_the_list_is_cached(self):
        publish("2", "3", "4", "5", "6")
        assert shown(RequestFactory().get("/"), limit=1) == ["2"]
        assert shown(RequestFactory().get("/"), limit=5) == ["2", "3", "4", "5", "6"]

    def test_does_not_repeat_what_another_block_of_the_page_shows(self, http_request):
        publish("2", "3", "4")
        assert shown(http_request, limit=2) == ["2", "3"]
        assert shown(http_request, limit=2) == ["4"]

    @pytest.mark.parametrize("change", [{"stock": 0}, {"price": None}])
    def test_drops_at_once_what_cannot_be_bought_though_cached(self, change):
        publish("2", "3")
        assert shown(RequestFactory().get("/")) == ["2", "3"]
        IntegerProduct.objects.filter(pk=2).update(**change)
        assert shown(RequestFactory().get("/")) == ["3"]

    def test_drops_what_was_deleted(self, http_request):
        publish("2", "3")
        IntegerProduct.objects.filter(pk=2).delete()
        assert shown(http_request) == ["3"]

    def test_drops_what_is_in_the_cart(self, http_request):
        publish("2", "3")
        http_request.cart_ids = ["2"]
        assert shown(http_request) == ["3"]

    def test_never_offers_its_own_anchor(self, http_request):
        publish("1", "3")
        assert shown(http_request) == ["3"]

    def test_takes_a_live_product_as_anchor(self, http_request):
        publish("3")
        assert shown(http_request, anchors=[IntegerProduct.objects.get(pk=1)]) == ["3"]

    def test_applies_the_rule_of_its_strategy_to_this_customers_price(self):
        publish("6", "9", strategy="upgrade_to", anchor="4")
        request = RequestFactory().get("/")
        assert shown(request, "upgrade_to", ["4"]) == ["6"]
        IntegerProduct.objects.filter(pk=6).update(price=9)
        assert shown(RequestFactory().get("/"), "upgrade_to", ["4"]) == []

    def test_puts_pins_first_and_leaves_blocked_offers_out(self, http_request):
        publish("2", "3", "4")
        override("pin", "8", 2)
        override("pin", "4", 1)
        override("block", "3")
        assert shown(http_request) == ["4", "8", "2"]

    def test_drops_a_pin_that_is_out_of_stock(self, http_request):
        publish("2")
        override("pin", "8")
        IntegerProduct.objects.filter(pk=8).update(stock=0)
        assert shown(http_request) == ["2"]

    def test_falls_back_to_the_list_of_the_category_for_an_item_without_one(self, http_request):
        release = publish("2")
        category = Category.objects.create(name="C", path="C", digest="c")
        Item.objects.create(external_id="5", title="new", category=category)
        text = encode_offers([Offer(item="6", score=1.0, reason=Reason.POPULAR, aisle=0, evidence=(9,))])
        OfferList.objects.create(release=release, strategy="bought_with", category=category, offers=text)
        assert shown(http_request, anchors=["5"]) == ["6"]

    def test_for_a_cart_sums_scores_and_bounds_each_aisle(self, http_request):
        aisle = Category.objects.create(name="A", path="A", digest="a")
        Item.objects.create(external_id="2", title="2", category=Category.objects.create(
            name="L", path="A > L", digest="l", aisle=aisle
        ))  # fmt: skip

        def offer(item, score, aisle):
            return Offer(item=item, score=score, reason=Reason.TOGETHER, aisle=aisle, evidence=(9,))

        first = [offer("3", 0.5, 900), offer("4", 0.4, 900), offer("5", 0.3, 900), offer("6", 0.2, aisle.pk)]
        publish_offers({"bought_with": {"1": first, "2": [offer("5", 0.3, 900), offer("7", 0.1, 901)]}})
        assert shown(http_request, anchors=["1", "2"]) == ["5", "3", "7"]

    def test_holds_two_offers_of_an_aisle_at_most_beside_one_product(self, http_request):
        def offer(item, score, aisle):
            return Offer(item=item, score=score, reason=Reason.TOGETHER, aisle=aisle, evidence=(9,))

        publish(offer("2", 0.6, 900), offer("3", 0.5, 900), offer("4", 0.4, 900), offer("5", 0.3, 901))
        assert shown(http_request) == ["2", "3", "5"]

    def test_counts_items_without_an_aisle_as_they_are(self, http_request):
        publish("2", "3", "4", "5")
        assert shown(http_request) == ["2", "3", "4", "5"]

    @pytest.mark.parametrize("title", ["Tulip vase", " tulip  VASE", "Ｔｕｌｉｐ vase"])
    def test_holds_no_two_offers_of_one_title(self, http_request, title):
        IntegerProduct.objects.filter(pk=2).update(title="Tulip vase")
        IntegerProduct.objects.filter(pk=4).update(title=title)
        publish("2", "3", "4", "5")
        assert shown(http_request) == ["2", "3", "5"]
        page = Page(catalog=CartCatalog(), request=RequestFactory().get("/"))
        rejected = examine(page, "bought_with", ["1"], 4).rejected
        assert [(each.offer.item, each.violation.code) for each in rejected] == [("4", "duplicate_title")]

    def test_holds_all_offers_without_a_title(self, http_request):
        IntegerProduct.objects.filter(pk__lt=4).update(title="")
        publish("2", "3", "4")
        assert shown(http_request) == ["2", "3", "4"]

    def test_shows_a_pin_whatever_its_title_is(self, http_request):
        IntegerProduct.objects.filter(pk__in=(2, 3, 4)).update(title="Tulip vase")
        publish("2", "3", "4")
        override("pin", "3")
        override("pin", "4", 2)
        assert shown(http_request) == ["3", "4"]

    def test_follows_publication_and_roll_back_at_once(self, django_capture_on_commit_callbacks):
        publish("2")
        publish("3")
        assert shown(RequestFactory().get("/")) == ["3"]
        with django_capture_on_commit_callbacks(execute=True):
            rollback()
        assert shown(RequestFactory().get("/")) == ["2"]

    def test_shows_an_override_at_once(self, django_capture_on_commit_callbacks):
        publish("2", "3")
        assert shown(RequestFactory().get("/")) == ["2", "3"]
        with django_capture_on_commit_callbacks(execute=True):
            Override.objects.create(
                strategy="bought_with",
                anchor=Item.objects.get(external_id="1"),
                offer=Item.objects.get(external_id="2"),
                action="block",
            )
        assert shown(RequestFactory().get("/")) == ["3"]

    def test_without_a_published_release_is_empty_and_no_failure(self, http_request):
        publish("2")
        Publication.objects.all().delete()
        invalidate()
        assert shown(http_request) == []
        assert not failure_counts

    def test_of_corrupt_text_is_empty_counted_and_logged_once(self, caplog):
        publish("2")
        OfferList.objects.update(offers="[[oops")
        for _ in range(2):
            assert shown(RequestFactory().get("/")) == []
        assert failure_counts["bought_with", "JSONDecodeError"] == 2
        assert len(caplog.records) == 1

    def test_of_an_adapter_that_fails_is_empty_and_its_message_is_not_logged(self, http_request, caplog):
        publish("2")
        with override_ecomrec(CATALOG="tests.support.catalogs.FailingCatalog"):
            assert shown(http_request) == []
        assert "RuntimeError" in caplog.text
        assert "secret" not in caplog.text

    def test_falls_back_on_the_database_where_the_cache_fails(self, integer_key_shop, http_request, caplog):
        publish("2", "3")
        integer_key_shop.CACHES = {"default": {"BACKEND": "tests.support.catalogs.BrokenCache"}}
        for _ in range(2):
            assert shown(RequestFactory().get("/")) == ["2", "3"]
        assert failure_counts == {("cache", "ConnectionError"): 2}
        assert "redis.example" not in caplog.text

    def test_shows_each_customer_their_own_price_though_cached(self):
        publish("2", "3")
        prices = []
        for discount in ("1", "0.5"):
            request = RequestFactory().get("/")
            request.discount = discount
            prices.append([str(offer.price) for offer in offers(request, "bought_with", ["1"]).offers])
        assert prices == [["2.00", "3.00"], ["1.000", "1.500"]]

    def test_compares_this_customers_own_prices(self):
        publish("9", strategy="upgrade_to", anchor="8")
        request = RequestFactory().get("/")
        request.price_of = {9: 30}
        assert shown(RequestFactory().get("/"), "upgrade_to", ["8"]) == ["9"]
        assert shown(request, "upgrade_to", ["8"]) == []

    def test_upgrades_for_a_cart_are_compared_with_the_items_they_replace(self, http_request):
        publish_offers({"upgrade_to": {"2": ["3"], "20": ["30", "15"]}})
        assert shown(http_request, "upgrade_to", ["2", "20"]) == ["3", "30"]

    def test_links_no_address_that_runs_a_script(self, http_request):
        publish("2")
        with override_ecomrec(CATALOG="tests.support.catalogs.ScriptCatalog"):
            assert [offer.url for offer in offers(http_request, "bought_with", ["1"]).offers] == [""]

    def test_needs_no_prices_where_nothing_has_one(self, http_request):
        publish("2", "3")
        with override_ecomrec(CATALOG="tests.support.catalogs.PricelessCatalog"):
            found = offers(http_request, "bought_with", ["1"]).offers
        assert [(offer.item, offer.price, offer.price_text) for offer in found] == [("2", None, ""), ("3", None, "")]

    def test_names_the_rule_of_what_is_left_out(self, http_request):
        publish("1", "2", "3", "4", "99", "5")
        http_request.cart_ids = ["2"]
        IntegerProduct.objects.filter(pk=3).update(stock=0)
        IntegerProduct.objects.filter(pk=4).update(price=None)
        examination = examine(Page(catalog=CartCatalog(), request=http_request), "bought_with", ["1"], 4)
        assert [(rejected.offer.item, rejected.violation.code) for rejected in examination.rejected] == [
            ("1", "anchor"),
            ("2", "in_cart"),
            ("3", "unavailable"),
            ("4", "no_price"),
            ("99", "missing"),
        ]


class TestAnOverrideForASegment:
    """Token a… is of the gourmets, token b… of the savers, c… of no segment, d… is unknown."""

    @pytest.fixture(autouse=True)
    def _shoppers(self, integer_key_shop):
        publish("2", "3", "4")
        self.gourmets = Segment.objects.create(label=1, description="gourmets")
        for letter, segment in (("a", self.gourmets), ("b", Segment.objects.create(label=2)), ("c", None)):
            remember("9", letter * 32, segment)

    def seen_by(self, letter, consent="yes"):
        return shown(asking(letter * 32, consent))

    def test_pins_for_its_shoppers_alone(self):
        override("pin", "8", segment=self.gourmets)
        assert self.seen_by("a") == ["8", "2", "3", "4"]
        for letter in ("b", "c", "d"):
            assert self.seen_by(letter) == ["2", "3", "4"]

    def test_blocks_for_its_shoppers_alone(self):
        override("block", "2", segment=self.gourmets)
        assert self.seen_by("a") == ["3", "4"]
        for letter in ("b", "c", "d"):
            assert self.seen_by(letter) == ["2", "3", "4"]

    def test_stands_among_those_for_everybody_in_the_merchants_order(self):
        override("pin", "7", 1)
        override("pin", "8", 2, self.gourmets)
        override("pin", "6", 3)
        assert self.seen_by("a") == ["7", "8", "6", "2"]
        assert self.seen_by("b") == ["7", "6", "2", "3"]

    @pytest.mark.parametrize("consent", ["no", ""])
    def test_holds_for_nobody_who_does_not_agree(self, consent, django_assert_num_queries):
        override("pin", "8", 1, self.gourmets)
        override("block", "2", 1, self.gourmets)
        # Lists and products; nobody looks who it is.
        with django_assert_num_queries(2):
            assert self.seen_by("a", consent) == ["2", "3", "4"]

    def test_holds_for_its_shoppers_alone_though_the_list_is_cached(self):
        override("pin", "8", segment=self.gourmets)
        for _ in range(2):
            assert self.seen_by("a") == ["8", "2", "3", "4"]
            assert self.seen_by("b") == ["2", "3", "4"]

    def test_costs_one_query_to_see_who_asks_and_only_where_there_is_one(self, django_assert_num_queries):
        with django_assert_num_queries(2):
            self.seen_by("a")
        override("pin", "8", segment=self.gourmets)
        with django_assert_num_queries(3):
            self.seen_by("a")

    def test_is_not_kept_for_a_request_without_a_browser(self):
        override("pin", "8", segment=self.gourmets)
        assert shown(None) == ["2", "3", "4"]


class TestBesideAnEmptyCart:
    @pytest.fixture(autouse=True)
    def _bestsellers(self, integer_key_shop):
        publish_offers({"bought_with": {"1": ["2"]}, "for_you": {"": ["5", "6"]}})

    @pytest.mark.parametrize("strategy", ["bought_with", "upgrade_to"])
    def test_stands_what_everybody_likes_and_says_so(self, http_request, strategy):
        block = offers(http_request, strategy)
        assert block.strategy == "for_you"
        assert [offer.item for offer in block.offers] == ["5", "6"]
        assert open_block(block.token)[1:] == ("for_you", block.release, "", "", ["5", "6"], "", "")

    def test_and_beside_a_full_one_what_goes_with_it(self, http_request):
        http_request.cart_ids = ["1"]
        block = offers(http_request, "bought_with")
        assert (block.strategy, [offer.item for offer in block.offers]) == ("bought_with", ["2"])

    def test_a_cart_whose_items_have_no_offers_has_none(self, http_request):
        http_request.cart_ids = ["30"]
        assert not offers(http_request, "bought_with")

    def test_no_products_are_not_an_empty_cart(self, http_request):
        assert not offers(http_request, "bought_with", [])

    def test_costs_two_queries(self, http_request, django_assert_num_queries):
        with django_assert_num_queries(2):
            assert offers(http_request, "bought_with")

    def test_stands_nothing_in_a_shop_that_has_no_such_strategy(self, http_request):
        with override_ecomrec(STRATEGIES={"bought_with": "tests.support.catalogs.Any"}):
            assert not offers(http_request, "bought_with")
        assert not failure_counts


class TestForYouOfAKnownShopper:
    """Whose ranker would offer product 9 of anything."""

    @pytest.fixture(autouse=True)
    def _published(self, integer_key_shop):
        publish_offers({"for_you": {"": ["5"], "Food > Milk": ["6"]}})
        self.ranked_categories = []

    def rerank(self, context, strategy, anchors, offers, category, ordering):
        self.ranked_categories.append(category and Category.objects.get(pk=category).path)
        return [Offer(item="9", score=1.0, reason=Reason.AGAIN, aisle=0, evidence=()), *offers]

    def shown(self, category=None):
        page = Page(catalog=CartCatalog(), request=asking())
        page.ranking_context = lambda strategy: object()
        selection = Selection(personalise=RankerPersonaliser(rerank=self.rerank))
        return [offer.item for offer in block_of(page, "for_you", [], 4, category, selection=selection).offers]

    def test_ranks_the_whole_shop_or_a_category(self):
        assert self.shown() == ["9", "5"]
        assert self.shown("Food > Milk") == ["9", "6"]
        assert self.ranked_categories == [None, "Food > Milk"]

    def test_does_not_take_an_unknown_category_for_the_whole_shop(self):
        assert self.shown("Food > Cheese") == []
        assert self.ranked_categories == []


@pytest.mark.parametrize("name", ["UUID", "Slug"])
def test_keys_of_any_kind_work(integer_key_shop, http_request, name):
    model = {"UUID": UUIDProduct, "Slug": SlugProduct}[name]
    keys = [{}, {}] if name == "UUID" else [{"slug": "a-1"}, {"slug": "b-2"}]
    first, second = (model.objects.create(title="t", price=2, **key) for key in keys)
    publish(str(second.pk), anchor=str(first.pk))
    with override_ecomrec(CATALOG=f"tests.hosts.catalogs.{name}Catalog"):
        assert shown(http_request, anchors=[first]) == [str(second.pk)]


def test_without_a_cache_the_database_is_read_each_time(integer_key_shop, django_assert_num_queries):
    publish("2")
    with override_ecomrec(CACHE_SECONDS=0), rules_known(), django_assert_num_queries(4):
        assert shown(RequestFactory().get("/")) == shown(RequestFactory().get("/")) == ["2"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    stock=st.lists(st.integers(0, 1), min_size=10, max_size=10),
    prices=st.lists(st.none() | st.integers(1, 30), min_size=10, max_size=10),
    cart=st.sets(st.integers(1, 10)),
    order=st.permutations(range(1, 11)),
    limit=st.integers(1, 10),
)
def test_no_block_breaks_a_rule(integer_key_shop, stock, prices, cart, order, limit):
    IntegerProduct.objects.all().delete()
    IntegerProduct.objects.bulk_create(
        IntegerProduct(pk=n, title="t", price=prices[n - 1], stock=stock[n - 1]) for n in range(1, 11)
    )
    publish(*map(str, order), strategy="upgrade_to", anchor="1")
    request = RequestFactory().get("/")
    request.cart_ids = map(str, cart)
    got = [int(item) for item in shown(request, "upgrade_to", limit=limit)]
    sound = [
        n
        for n in order
        if n != 1
        and n not in cart
        and stock[n - 1]
        and prices[n - 1] is not None
        and prices[0] is not None
        and prices[0] < prices[n - 1] <= 2 * prices[0]
    ]
    assert got == sound[:limit]


def test_an_id_of_more_than_64_bits_names_no_product(integer_key_shop):
    assert conf.CATALOG().in_bulk(["9" * 30, "1"], None).keys() == {"1"}
