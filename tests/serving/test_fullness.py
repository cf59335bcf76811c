"""A block holds as many offers as its limit allows and its lists have."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecomrec_django.failures import failure_counts
from ecomrec_django.models import Category, Item
from ecomrec_django.serving.offers import offers
from ecomrec_django.serving.page import Page
from ecomrec_django.serving.selection import examine
from ecomrec_django.strategies.base import Offer, Reason
from ecomrec_django.testing import override_ecomrec, publish_offers
from tests.hosts.models import IntegerProduct
from tests.support.rules import rules_known

from ..support.catalogs import CartCatalog

AISLES = 8
PRODUCTS = range(1, 41)


def aisle(item):
    return item % AISLES + 1


def offer(item, rank):
    return Offer(item=str(item), score=float(21 - rank), reason=Reason.TOGETHER, aisle=aisle(item), evidence=(9,))


def sound(lists, limit, stock, cart, shown):
    """The answer by the rules alone: walk the whole ranking, with no thought of queries."""
    scores = {}
    for ranked in lists.values():
        for rank, item in enumerate(ranked, 1):
            scores[item] = scores.get(item, 0) + 21 - rank
    several, kept = len(lists) > 1, []
    for item in sorted(scores, key=lambda item: -scores[item]):
        beside = several and aisle(item) in map(aisle, lists)
        full = [aisle(other) for other in kept].count(aisle(item)) == 2
        if len(kept) < limit and not (item in lists or item in cart | shown or not stock[item - 1] or beside or full):
            kept.append(item)
    return kept


@pytest.fixture
def aisles(integer_key_shop):
    made = [Category(pk=n, name=str(n), path=str(n), digest=str(n)) for n in range(1, AISLES + 1)]
    Category.objects.bulk_create(made)
    for category in made:
        category.aisle = category
    Category.objects.bulk_update(made, ["aisle"])
    Item.objects.bulk_create(Item(external_id=str(n), title=str(n), category_id=aisle(n)) for n in PRODUCTS)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lists=st.dictionaries(
        st.integers(1, 40), st.permutations(PRODUCTS).map(lambda order: order[:20]), min_size=1, max_size=4
    ),
    stock=st.lists(st.sampled_from([0, 0, 1]), min_size=40, max_size=40),
    cart=st.sets(st.integers(1, 40), max_size=20),
    shown=st.sets(st.integers(1, 40), max_size=10),
    limit=st.integers(1, 8),
    seconds=st.sampled_from([0, 60]),
)
def test_a_block_is_as_full_as_the_rules_allow(aisles, lists, stock, cart, shown, limit, seconds):
    IntegerProduct.objects.all().delete()
    IntegerProduct.objects.bulk_create(
        IntegerProduct(pk=n, title=str(n), price=n, stock=stock[n - 1]) for n in PRODUCTS
    )
    ranked = {str(anchor): list(map(offer, items, range(1, 21))) for anchor, items in lists.items()}
    publish_offers({"bought_with": ranked})
    for _ in range(2):
        request = RequestFactory().get("/")
        request.cart_ids = list(map(str, cart))
        page = Page(catalog=CartCatalog(), request=request, shown=set(map(str, shown)))
        with override_ecomrec(CACHE_SECONDS=seconds), rules_known(), CaptureQueriesContext(connection) as queries:
            examination = examine(page, "bought_with", map(str, lists), limit)
        eligible = [each.offer.item for each in examination.eligible]
        assert list(map(int, eligible)) == sound(lists, limit, stock, cart, shown)
        assert len(queries) <= (2 if len(lists) <= 3 else 3)
        judged = eligible + [each.offer.item for each in examination.rejected]
        assert len(judged) == len(set(judged))


def test_a_block_reads_the_rest_of_a_long_cached_list(integer_key_shop, django_assert_num_queries):
    publish_offers({"bought_with": {"1": list(map(str, range(2, 22)))}})
    IntegerProduct.objects.filter(pk__lt=21).update(stock=0)
    for queries in (2, 2):
        with django_assert_num_queries(queries):
            found = offers(RequestFactory().get("/"), "bought_with", ["1"], 4)
        assert [offer.item for offer in found.offers] == ["21"]


def test_a_full_cart_does_not_empty_its_own_block(integer_key_shop):
    publish_offers({"bought_with": {"1": list(map(str, range(2, 22)))}})
    request = RequestFactory().get("/")
    request.cart_ids = list(map(str, range(1, 20)))
    assert [offer.item for offer in offers(request, "bought_with", ["1"], 4).offers] == ["20", "21"]
    assert not failure_counts


def test_candidates_in_the_cart_cost_no_query(integer_key_shop, django_assert_num_queries):
    publish_offers({"bought_with": {"1": ["2", "3"]}})
    request = RequestFactory().get("/")
    request.cart_ids = ["2", "3"]
    cache.clear()
    with rules_known(), django_assert_num_queries(1):
        assert not offers(request, "bought_with", ["1"])
