"""What a rule would change, where its names have left the settings and beside which categories."""

import pytest

from ecomrec_django.insights.preview import preview
from ecomrec_django.models import Category, Item, Rule
from ecomrec_django.testing import override_ecomrec, publish_offers


@pytest.fixture(autouse=True)
def _published(host):
    publish_offers({"bought_with": {str(n): [str(n + 20), "40"] for n in range(1, 5)}, "for_you": {"": ["3"]}})


@pytest.mark.parametrize(
    "fields", [{"slot": "cellar"}, {"strategy": "gone"}, {"slot": "cellar", "strategy": "for_you"}]
)
def test_a_rule_of_what_is_not_served_any_more_has_no_effects(fields):
    assert preview(Rule(name="old", action="hide", **fields)) == []


def test_a_rule_of_a_slot_has_effects_for_as_long_as_the_settings_name_it():
    rule = Rule.objects.create(name="old", action="hide", slot="cellar")
    with override_ecomrec(SLOTS={"cellar": {"chain": ["bought_with"]}}):
        assert {effect.after == [] for effect in preview(rule)} == {True}
    assert preview(rule) == []


def test_a_rule_beside_a_category_looks_at_its_pages_and_those_below_it_and_no_namesakes():
    for number, path in enumerate(["Bikes", "Bikes > City", "Bikesheds", "bikes > Toys"], 1):
        category = Category.objects.create(name=path, path=path, digest=str(number))
        Item.objects.filter(external_id=str(number)).update(category=category)
    rule = Rule(name="r", action="hide", strategy="bought_with", beside=Category.objects.get(path="Bikes", digest="1"))
    assert sorted(str(effect.of) for effect in preview(rule)) == ["1", "2"]
