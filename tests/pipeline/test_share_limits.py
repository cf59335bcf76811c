from datetime import UTC, datetime, timedelta

import pytest

from ecomrec_django.models import Category, Item, OfferList, Release, Rule
from ecomrec_django.pipeline.dataset import items_table
from ecomrec_django.pipeline.share_limits import item_limits
from ecomrec_django.strategies.base import decode_offers
from ecomrec_django.tasks import run_training
from ecomrec_django.testing import override_ecomrec
from tests.support.planted_shop import facts

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 1, tzinfo=UTC)


def limit(share=0.25, **conditions):
    return Rule.objects.create(name="less", action="limit", max_share=share, **conditions)


@pytest.fixture
def staple_shop(planted_shop, settings):
    """Milk stands first on each page but its own."""
    settings.ECOMREC = {
        **settings.ECOMREC,
        "STRATEGIES": {"same": "tests.support.planted_shop.SameForAll"},
        "LIMIT": 2,
    }
    planted_shop.facts = [facts(name) for name in ("milk", *"abcdefghi")]
    return planted_shop


def first_offers(release):
    lists = OfferList.objects.filter(release=release)
    return [offer.item for row in lists for offer in decode_offers(row.offers)[:2]]


def test_a_release_says_which_items_are_shown_most(staple_shop):
    release = Release.objects.get(pk=run_training().release.pk)
    assert release.most_shown == {"same": [["milk", 0.9], ["a", 0.9], ["b", 0.2]]}
    assert [first_offers(release).count(item) for item in ("milk", "a", "b")] == [9, 9, 2]


def test_the_setting_limits_every_item(staple_shop):
    with override_ecomrec(MAX_SHARE=0.3):
        release = run_training().release
    offers = first_offers(release)
    assert len(offers) == 20
    assert max(offers.count(item) for item in offers) == 3


def test_a_rule_limits_its_item(staple_shop):
    run_training()
    limit(0.2, item=Item.objects.get(external_id="milk"))
    offers = first_offers(run_training().release)
    assert (offers.count("milk"), offers.count("a"), len(offers)) == (2, 9, 20)


class TestARule:
    @pytest.fixture(autouse=True)
    def _items(self):
        food, milk = (Category.objects.create(name=path, path=path, digest=path) for path in ("Food", "Food > Milk"))
        foods = Category.objects.create(name="Foods", path="Foods", digest="Foods")
        for name, category, brand in (
            ("a", food, "Dairy"),
            ("b", milk, "DAIRY"),
            ("c", foods, "Other"),
            ("d", None, ""),
        ):
            Item.objects.create(external_id=name, title=name, category=category, brand=brand)

    def limits(self, strategy="bought_with"):
        names = dict(Item.objects.values_list("pk", "external_id"))
        return {names[pk]: share for pk, share in item_limits(strategy, items_table(), NOW).items()}

    def test_limits_what_meets_its_conditions(self):
        limit(0.1, category=Category.objects.get(path="Food"))
        assert self.limits() == {"a": 0.1, "b": 0.1}
        limit(0.05, brand="dairy", category=Category.objects.get(path="Food > Milk"))
        limit(0.5)
        assert self.limits() == {"a": 0.1, "b": 0.05, "c": 0.5, "d": 0.5}

    def test_holds_for_its_strategy_while_it_is_in_force(self):
        limit(0.1, item=Item.objects.get(external_id="a"), strategy="upgrade_to")
        limit(0.2, item=Item.objects.get(external_id="b"), active=False)
        limit(0.3, item=Item.objects.get(external_id="c"), starts=NOW + timedelta(days=1))
        limit(0.4, item=Item.objects.get(external_id="d"), ends=NOW)
        assert self.limits() == {}
        assert self.limits("upgrade_to") == {"a": 0.1}
        Rule.objects.create(name="never", action="hide", item=Item.objects.get(external_id="a"))
        assert self.limits() == {}
