"""Ten thousand random shops, rules and carts: no block breaks a rule of the guard or of the merchant."""

import pytest

from tests.worlds import World, live_in

WORLDS = 10_000
pytestmark = pytest.mark.once


def test_no_block_breaks_a_rule_and_no_boost_shortens_one(monkeypatch):
    filled = ruled = shortened = 0
    for seed in range(WORLDS):
        world = World(seed)
        live_in(world, monkeypatch)
        found = world.examine(world.rules)
        world.check(found)
        hard = tuple(rule for rule in world.rules if rule.action != "boost")
        without = world.examine(hard)
        assert len(without.kept) == len(found.kept)
        free = world.examine(())
        assert len(free.kept) >= len(found.kept)
        filled += bool(found.kept)
        ruled += any(world.in_force(rule) for rule in world.rules)
        shortened += len(free.kept) > len(found.kept)
    # The worlds are such that rules matter.
    assert min(filled, ruled) > WORLDS // 4
    assert shortened > WORLDS // 50
