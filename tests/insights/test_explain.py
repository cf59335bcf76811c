"""Why and why not: the same answers as the guard gives, and true ones."""

import random
from types import SimpleNamespace

import pytest

from ecomrec_django.insights.explain import explain
from ecomrec_django.insights.rule_messages import rule_message
from ecomrec_django.strategies.base import Violation, ViolationCode
from ecomrec_django.testing import override_ecomrec
from tests.support.random_shops import STRATEGIES, World

CASES = 10_000
pytestmark = pytest.mark.once


def is_true(world, item, violation, examination):
    """Whether it is so, found without the guard."""
    product = world.products.get(item)
    eligible = [each.offer for each in examination.eligible]
    rules = [rule for rule in world.rules if world.in_force(rule)]
    of_rules = violation.code in ("hidden_by_rule", "not_allowed_by_rules")
    if product is None and of_rules:
        # What the mirror says is enough.
        product = world.products[item] = SimpleNamespace(price=None, stock=0)
    hiding = [rule for rule in rules if rule.action == "hide" and rule.name == violation.params.get("name")]
    aisles = {world.stored[anchor].aisle for anchor in world.anchors}
    return {
        "hidden_by_rule": lambda: any(world.matches(rule, item) for rule in hiding),
        "not_allowed_by_rules": lambda: not any(world.matches(rule, item) for rule in rules if rule.action == "only"),
        "blocked": lambda: item in world.blocked(),
        "anchor": lambda: item in world.anchors,
        "in_cart": lambda: item in world.cart,
        "shown": lambda: item in world.shown,
        "same_aisle": lambda: world.aisle(item) in aisles,
        "same aisle": lambda: world.aisle(item) in aisles,
        "missing": lambda: product is None,
        "unavailable": lambda: product.stock == 0,
        "no_price": lambda: product.price is None,
        "aisle_full": lambda: sum(offer.aisle == world.aisle(item) for offer in eligible) >= 2,
        "duplicate_title": lambda: any(world.title(offer.item) == world.title(item) for offer in eligible),
        "out_of_band": lambda: item not in world.pins() and world.band is not None,
    }[violation.code]()


@override_ecomrec(STRATEGIES=STRATEGIES)
def test_why_not_agrees_with_the_guard():
    outcomes = dict.fromkeys(("shown", "kept out", "behind", "no candidate"), 0)
    for seed in range(CASES):
        world = World(seed)
        examination = world.examine(world.rules)
        # All that the guard says when it is asked for everything.
        everything = world.examine(world.rules, limit=1_000)
        answer = explain(
            world.page(world.rules),
            "bought_with",
            world.anchors,
            world.limit,
            assignment=world.assignment,
            selection=world.selection,
        )
        item = random.Random(seed).choice([*world.attributes, "never heard of"])
        verdict = answer.of(item)
        shown = [each.offer.item for each in examination.eligible]
        candidates = {each.offer.item for each in (*examination.candidates, *everything.candidates)}
        if verdict is None:
            outcomes["no candidate"] += 1
            assert item not in candidates
        elif verdict.place is not None:
            outcomes["shown"] += 1
            assert shown[verdict.place - 1] == item
        elif verdict.violation is not None:
            outcomes["kept out"] += 1
            assert item not in shown
            assert (item, verdict.violation) in [(each.offer.item, each.violation) for each in everything.rejected]
            assert is_true(world, item, verdict.violation, everything)
        else:
            outcomes["behind"] += 1
            assert item not in shown
            assert len(shown) == world.limit
            assert item in [each.offer.item for each in everything.eligible]
        assert [each.offer.item for each in answer.shown] == shown
    assert min(outcomes.values()) > CASES // 100


PARAMS = {
    "hidden_by_rule": {"name": "No “rum” here, 100%"},
    "not_allowed_by_rules": {"names": "“Only red”, “Only blue”"},
}


@pytest.mark.parametrize("code", list(ViolationCode))
def test_every_violation_has_a_message(code):
    params = PARAMS.get(code, {})
    message = rule_message(Violation(code, params))
    assert message[0].isupper()
    assert all(value in message for value in params.values())


def test_too_little_evidence_is_counted():
    violation = Violation(ViolationCode.TOO_WEAK, {"orders": 1, "customers": 1})
    assert "1 order contains both (customers: 1)" in rule_message(violation)


def test_the_code_of_a_projects_own_strategy_is_its_message():
    assert rule_message(Violation("too heavy, 5%")) == "too heavy, 5%"
