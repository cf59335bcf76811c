"""What the offers of a block are ordered by: the settings, a slot, an arm and the merchant's rules."""

from dataclasses import replace

import pytest
from django.test import RequestFactory

from ecomrec_django.errors import DataError
from ecomrec_django.failures import failure_counts
from ecomrec_django.models import Item, Rule, Segment
from ecomrec_django.serving.batch import BatchRequest, recommend
from ecomrec_django.serving.offer_store import invalidate
from ecomrec_django.serving.offers import offers
from ecomrec_django.serving.page import Page
from ecomrec_django.serving.selection import examine
from ecomrec_django.serving.shopper_context import ShopperContext
from ecomrec_django.serving.slots import slot_offers
from ecomrec_django.serving.variants import SlotAssignment, Variant
from ecomrec_django.strategies.base import Offer, Reason
from ecomrec_django.testing import override_ecomrec, publish_offers
from tests.support.catalogs import CartCatalog

BOUGHT_WITH, UPGRADE_TO = (
    f"ecomrec_django.strategies.{name}" for name in ("bought_with.BoughtWith", "upgrade_to.UpgradeTo")
)
# Item -> uplift, probability, lift; products cost their numbers.
TOGETHER = {"2": (0.30, 0.31, 20.0), "9": (0.10, 0.60, 1.5), "20": (0.05, 0.06, 9.0)}
# Item -> score, ratio, probability: the best compromise, the likeliest, the dearest.
UPGRADES = {"12": (0.5, 1.2, 0.2), "11": (0.4, 1.1, 0.3), "17": (0.3, 1.7, 0.15)}


@pytest.fixture(autouse=True)
def _published(integer_key_shop):
    integer_key_shop.ECOMREC["STRATEGIES"] |= {"bought_with": BOUGHT_WITH, "upgrade_to": UPGRADE_TO}
    integer_key_shop.ECOMREC = {**integer_key_shop.ECOMREC}
    for name in ("1", "10", *TOGETHER, *UPGRADES):
        # What costs 20 leaves next to nothing.
        Item.objects.create(external_id=name, title=name, price=int(name), cost=19.9 if name == "20" else None)
    publish_offers(
        {
            "bought_with": {
                "1": [
                    Offer(item, score, Reason.TOGETHER, 0, (9, 9, 1.0, lift, 20.0, 0.0, probability))
                    for item, (score, probability, lift) in TOGETHER.items()
                ]
            },
            "upgrade_to": {
                "10": [
                    Offer(item, score, Reason.UPGRADE, 0, (ratio, 1.05, 1.8, 0.5, 3, None, None, None, None, chance))
                    for item, (score, ratio, chance) in UPGRADES.items()
                ]
            },
        }
    )
    yield
    assert not failure_counts


@pytest.fixture
def rule(django_capture_on_commit_callbacks):
    def make(discovery, **fields):
        with django_capture_on_commit_callbacks(execute=True):
            return Rule.objects.create(name="dial", action=Rule.Action.DIAL, discovery=discovery, **fields)

    return make


def shown(strategy="bought_with", anchor="1"):
    return [offer.item for offer in offers(RequestFactory().get("/"), strategy, [anchor]).offers]


def in_slot():
    return [offer.item for offer in slot_offers(RequestFactory().get("/"), "product", ["1"]).offers]


def test_the_default_is_the_stored_order():
    assert shown() == ["2", "9", "20"]
    assert shown("upgrade_to", "10") == ["12", "11", "17"]


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        ("uplift", ["2", "9", "20"]),
        ("probability", ["9", "2", "20"]),
        # .3·2, .1·9 and .05·20
        ("revenue", ["20", "9", "2"]),
        # The cost of the others is not known.
        ("margin", ["9", "2", "20"]),
    ],
)
def test_the_settings_choose_an_objective(objective, expected):
    with override_ecomrec(OBJECTIVE={"bought_with": objective}):
        assert shown() == expected


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        ("probability", ["11", "12", "17"]),
        # .3·1^.25, .2·2^.25 and .15·7^.25
        ("revenue", ["11", "17", "12"]),
        ("margin", ["12", "11", "17"]),
    ],
)
def test_upgrades_are_worth_what_they_cost_more(objective, expected):
    with override_ecomrec(OBJECTIVE={"upgrade_to": objective}):
        assert shown("upgrade_to", "10") == expected


def test_a_slot_and_an_arm_may_choose_another_objective():
    slots = {"product": {"chain": ["bought_with", "for_you"], "objective": "revenue"}}
    with override_ecomrec(OBJECTIVE={"bought_with": "probability"}, SLOTS=slots):
        assert shown() == ["9", "2", "20"]
        assert in_slot() == ["20", "9", "2"]
        arm = SlotAssignment(
            slot="product", arm="7", variant=Variant(chain=("bought_with",)).changed({"objective": "uplift"})
        )
        found = examine(Page(catalog=CartCatalog()), "bought_with", ["1"], 4, assignment=arm)
        assert [eligible.offer.item for eligible in found.eligible] == ["2", "9", "20"]


def test_an_objective_that_no_strategy_of_the_chain_knows_is_refused():
    with pytest.raises(DataError, match='Did you mean "revenue"'):
        Variant(chain=("bought_with",)).changed({"objective": "revenues"})
    with pytest.raises(DataError, match="No strategy of the chain knows"):
        Variant(chain=("for_you",)).changed({"objective": "uplift"})


def test_discovery_holds_for_lists():
    with override_ecomrec(DISCOVERY=1):
        # 9 is bought by chance .4 of the times, 2 .0155 and 20 .0067 of them.
        assert shown() == ["2", "20", "9"]


def test_a_rule_sets_discovery_where_and_for_whom_it_says(rule):
    assert shown() == ["2", "9", "20"]
    made = rule(1.0, strategy="bought_with")
    assert shown() == ["2", "20", "9"]
    Rule.objects.filter(pk=made.pk).update(active=False)
    rule(1.0, slot="product")
    assert shown() == ["2", "9", "20"]
    assert in_slot() == ["2", "20", "9"]


def test_the_latest_rule_applies(rule):
    rule(1.0)
    rule(0.0)
    assert shown() == ["2", "9", "20"]


def test_a_rule_for_a_segment_is_for_nobody_else(rule):
    segment = Segment.objects.create(label=1)
    rule(1.0, segment=segment)
    assert shown() == ["2", "9", "20"]
    page = Page(catalog=CartCatalog())
    page.shopper = ShopperContext.stranger(segment.pk)
    found = examine(page, "bought_with", ["1"], 4)
    assert [eligible.offer.item for eligible in found.eligible] == ["2", "20", "9"]


def test_a_rule_goes_before_the_settings_and_an_arm_before_the_rule(rule):
    rule(0.0)
    arm = SlotAssignment(slot="product", arm="7", variant=Variant(chain=("bought_with",), discovery=1.0))
    with override_ecomrec(DISCOVERY=1):
        assert shown() == ["2", "9", "20"]
        for assignment, expected in ((arm, ["2", "20", "9"]), (replace(arm, arm=""), ["2", "9", "20"])):
            found = examine(Page(catalog=CartCatalog()), "bought_with", ["1"], 4, assignment=assignment)
            assert [eligible.offer.item for eligible in found.eligible] == expected


def test_a_batch_is_ordered_as_a_page(rule):
    rule(1.0)
    request = BatchRequest(line=1, request="a", strategy="bought_with", items=("1",), visitor="", limit=4)
    (answer,) = recommend([request])
    assert [eligible.offer.item for eligible in answer.offers] == ["2", "20", "9"]


def test_a_block_costs_two_queries_with_discovery_and_one_more_for_what_offers_are_worth(
    rule, django_assert_num_queries
):
    rule(0.3)
    assert shown()
    invalidate()
    # The rules are known, the lists are not.
    with django_assert_num_queries(2):
        assert shown()
    with override_ecomrec(OBJECTIVE={"bought_with": "revenue"}):
        invalidate()
        with django_assert_num_queries(3):
            assert shown()
        invalidate()
        with django_assert_num_queries(2):
            assert shown()
