"""Ten thousand random shops, rules and carts: no block breaks a rule of the guard or of the merchant."""

import pytest

from ecomrec_django.testing import override_ecomrec
from tests.support.random_shops import STRATEGIES, World

WORLDS = 10_000
pytestmark = pytest.mark.once


@override_ecomrec(STRATEGIES=STRATEGIES)
def test_random_blocks_break_no_rule():
    filled = ruled = shortened = 0
    for seed in range(WORLDS):
        world = World(seed)
        examination = world.examine(world.rules)
        world.check(examination)
        hard_rules = tuple(rule for rule in world.rules if rule.action != "boost")
        assert len(world.examine(hard_rules).eligible) == len(examination.eligible)
        without_rules = world.examine(())
        assert len(without_rules.eligible) >= len(examination.eligible)
        filled += bool(examination.eligible)
        ruled += any(world.in_force(rule) for rule in world.rules)
        shortened += len(without_rules.eligible) > len(examination.eligible)
    # The worlds are such that rules matter.
    assert min(filled, ruled) > WORLDS // 4
    assert shortened > WORLDS // 50
