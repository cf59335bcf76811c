"""What a rule would change, where its names have left the settings and beside which categories."""

import pytest

from ecomrec_django.insights.rule_preview import preview_rule
from ecomrec_django.models import Category, Item, Rule
from ecomrec_django.testing import override_ecomrec, publish_offers


@pytest.fixture(autouse=True)
def _published(integer_key_shop):
    publish_offers({"bought_with": {str(n): [str(n + 20), "40"] for n in range(1, 5)}, "for_you": {"": ["3"]}})


@pytest.mark.parametrize(
    "fields", [{"slot": "cellar"}, {"strategy": "gone"}, {"slot": "cellar", "strategy": "for_you"}]
)
def test_a_rule_of_what_is_not_served_any_more_has_no_effects(fields):
    assert preview_rule(Rule(name="old", action="hide", **fields)) == []


def test_a_rule_of_an_unknown_slot_has_no_effects():
    rule = Rule.objects.create(name="old", action="hide", slot="cellar")
    with override_ecomrec(SLOTS={"cellar": {"chain": ["bought_with"]}}):
        assert {effect.after == [] for effect in preview_rule(rule)} == {True}
    assert preview_rule(rule) == []


def test_a_preview_covers_the_anchor_category_and_its_subcategories():
    for number, path in enumerate(["Bikes", "Bikes > City", "Bikesheds", "bikes > Toys"], 1):
        category = Category.objects.create(name=path, path=path, digest=str(number))
        Item.objects.filter(external_id=str(number)).update(category=category)
    rule = Rule(
        name="r", action="hide", strategy="bought_with", anchor_category=Category.objects.get(path="Bikes", digest="1")
    )
    assert sorted(str(effect.of) for effect in preview_rule(rule)) == ["1", "2"]
