"""Why, and why not: the same answers as the guard gives, and true ones."""

import random
import re
from types import SimpleNamespace

import pytest

from ecomrec_django.insights.explain import explain
from ecomrec_django.insights.rules_said import SAID, said
from ecomrec_django.serving import offers as serving
from ecomrec_django.serving.variants import Place, Variant
from tests.worlds import World, live_in

CASES = 10_000
pytestmark = pytest.mark.once


def true_of(world, item, rule, found):
    """Whether it is so, told without the guard."""
    product = world.products.get(item)
    named = re.fullmatch("hidden by “(.*)”", rule)
    before = [one.offer for one in found.kept]
    rules = [one for one in world.rules if world.in_force(one)]
    if product is None and (named or rule.startswith("not among")):
        # What the mirror says is enough.
        product = world.products[item] = SimpleNamespace(price=None, stock=0)
    if named:
        return any(world.fits(one, item) for one in rules if one.action == "hide" and one.name == named[1])
    if rule.startswith("not among"):
        return not any(world.fits(one, item) for one in rules if one.action == "only")
    return {
        "blocked": lambda: item in world.blocked(),
        "anchor": lambda: item in world.anchors,
        "in_cart": lambda: item in world.cart,
        "shown": lambda: item in world.shown,
        "same_aisle": lambda: world.aisle(item) in {world.stored[anchor].aisle for anchor in world.anchors},
        "same aisle": lambda: world.aisle(item) in {world.stored[anchor].aisle for anchor in world.anchors},
        "missing": lambda: product is None,
        "unavailable": lambda: product.stock == 0,
        "no_price": lambda: product.price is None,
        "aisle_full": lambda: sum(offer.aisle == world.aisle(item) for offer in before) >= 2,
        "out_of_band": lambda: item not in world.pins() and world.band is not None,
    }[rule]()


def test_why_not_agrees_with_the_guard(monkeypatch):
    told = {"shown": 0, "kept out": 0, "behind": 0, "no candidate": 0}
    for seed in range(CASES):
        world = World(seed)
        live_in(world, monkeypatch)
        place = Place("product", "", Variant((), band=world.band))
        found = world.examine(world.rules)
        # All that the guard says when it is asked for everything.
        every = serving.examine(world.page(world.rules), "bought_with", world.anchors, 1_000, place=place)
        answer = explain(world.page(world.rules), "bought_with", world.anchors, world.limit, place=place)
        item = random.Random(seed).choice([*world.facts, "never heard of"])
        verdict = answer.of(item)
        kept = [one.offer.item for one in found.kept]
        listed = {one.offer.item for one in (*found.candidates, *every.candidates)}
        if verdict is None:
            told["no candidate"] += 1
            assert item not in listed
        elif verdict.place is not None:
            told["shown"] += 1
            assert kept[verdict.place - 1] == item
        elif verdict.rule:
            told["kept out"] += 1
            assert item not in kept
            assert (item, verdict.rule) in [(one.offer.item, one.rule) for one in every.left_out]
            assert true_of(world, item, verdict.rule, every)
        else:
            told["behind"] += 1
            assert item not in kept
            assert len(kept) == world.limit
            assert item in [one.offer.item for one in every.kept]
        assert [one.offer.item for one in answer.shown] == kept
    assert min(told.values()) > CASES // 100


@pytest.mark.parametrize(
    "rule", [*SAID, "hidden by “No “rum” here”", "not among “Only red”, “Only blue”", "too_weak 1 1"]
)
def test_every_rule_is_said_in_words(rule):
    assert said(rule) != rule
    assert said(rule)[0].isupper()


def test_a_strategys_own_rule_is_said_as_it_is():
    assert said("too heavy for the post") == "too heavy for the post"
