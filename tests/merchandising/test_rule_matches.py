"""Rules whose category, brand or attribute the shop gave up."""

from io import StringIO

import pytest
from django.core.management import call_command

from ecomrec_django.merchandising.rule_matches import unmatched_rules
from ecomrec_django.models import Category, Item, Rule
from ecomrec_django.pipeline.dataset import items_table
from ecomrec_django.pipeline.share_limits import item_limits
from ecomrec_django.serving.rulebook import read_rulebook
from ecomrec_django.tasks import run_sync
from tests.support.planted_shop import NOON, facts

pytestmark = pytest.mark.django_db
NAMES = ("merlot", "port", "bread")


@pytest.fixture
def shop(planted_shop):
    planted_shop.facts = [
        facts("merlot", "Food > Alcohol", brand="Rebe", attributes={"colour": "red"}),
        facts("port", "Food > Alcohol", brand="Rebe", attributes={"colour": "red"}),
        facts("bread", "Food > Bread"),
    ]
    run_sync()
    return planted_shop


def make(action="hide", category="", beside="", **conditions):
    for name, path in (("category", category), ("anchor_category", beside)):
        if path:
            conditions[name] = Category.objects.get(path=path)
    return Rule.objects.create(name="No wine", action=action, **conditions)


def hidden(anchor="bread"):
    rulebook = read_rulebook()
    attributes = rulebook.item_attributes(NAMES)
    active = rulebook.active_rules("bought_with").for_anchors([anchor], attributes)
    return {name for name in NAMES if active.violation(name)}


def split(shop):
    """The shop gives up the category, the brand and the attribute."""
    shop.facts = [
        facts("merlot", "Food > Wine", brand="Rebe & Söhne", attributes={"hue": "red"}),
        facts("port", "Food > Fortified", brand="Rebe & Söhne", attributes={"hue": "red"}),
        facts("bread", "Food > Bread"),
    ]
    run_sync()


CONDITIONS = [
    {"category": "Food > Alcohol"},
    {"brand": "REBE"},
    {"attribute": "colour", "value": "RED"},
    {"category": "Food > Alcohol", "brand": "Rebe"},
]


@pytest.mark.parametrize("conditions", CONDITIONS, ids=str)
def test_a_rule_that_matches_nothing_any_more_goes_on_and_is_told_of(shop, conditions, settings, mailoutbox):
    settings.ECOMREC = {**settings.ECOMREC, "NOTIFY": ["boss@shop.example"]}
    rule = make(**conditions)
    assert hidden() == {"merlot", "port"}
    split(shop)
    assert hidden() == {"merlot", "port"}
    assert list(unmatched_rules()) == [rule]
    assert [mail.subject for mail in mailoutbox] == ["Rules match no products any more"]
    assert "“No wine”" in mailoutbox[0].body
    shop.facts.append(facts("rye", "Food > Bread"))
    out = StringIO()
    call_command("ecomrec_sync", stdout=out)
    assert "“No wine” matches no product of the catalog any more. It still applies" in out.getvalue()
    assert hidden() == {"merlot", "port"}
    # Once is enough for a notice.
    assert len(mailoutbox) == 1


def test_show_only_allows_what_it_allowed(shop):
    make("only", category="Food > Alcohol")
    split(shop)
    assert hidden() == {"bread"}


def test_a_rule_holds_beside_what_it_held_beside(shop):
    make(beside="Food > Alcohol", category="Food > Bread")
    assert (hidden("port"), hidden("bread")) == ({"bread"}, set())
    split(shop)
    assert (hidden("port"), hidden("bread")) == ({"bread"}, set())


def test_a_limit_goes_on_too(shop):
    make("limit", category="Food > Alcohol", max_share=0.1)
    split(shop)
    limited = Item.objects.filter(pk__in=item_limits("bought_with", items_table(), NOON))
    assert set(limited.values_list("external_id", flat=True)) == {"merlot", "port"}


def test_a_rule_is_as_before_once_all_is_back(shop):
    rule = make(category="Food > Alcohol")
    before = shop.facts
    split(shop)
    # One of them is not all.
    shop.facts = [before[0], *shop.facts[1:]]
    run_sync()
    assert hidden() == {"merlot", "port"}
    shop.facts = before
    run_sync()
    rule.refresh_from_db()
    assert (rule.unmatched_since, rule.matched_items) == (None, ["merlot", "port"])
    shop.facts = [facts("merlot", "Food > Bread"), *before[1:]]
    run_sync()
    assert hidden() == {"port"}


def test_the_admin_names_the_rule(shop, admin_client, settings):
    rule = make(category="Food > Alcohol")
    split(shop)
    settings.ROOT_URLCONF = "tests.admin.urls"
    page = admin_client.get("/admin/ecomrec/rule/").content.decode()
    form = admin_client.get(f"/admin/ecomrec/rule/{rule.pk}/change/").content.decode()
    assert "matches no product of the catalog any more" in page
    assert "matches no product of the catalog any more" in form


def test_other_conditions_start_anew_and_another_note_does_not(shop, admin_client, settings):
    settings.ROOT_URLCONF = "tests.admin.urls"
    rule = make(category="Food > Alcohol")
    split(shop)
    address, given = f"/admin/ecomrec/rule/{rule.pk}/change/", {"name": "n", "action": "hide", "factor": 2, "active": 1}
    admin_client.post(address, {**given, "category": rule.category_id, "note": "asked the boss"})
    assert hidden() == {"merlot", "port"}
    admin_client.post(address, {**given, "category": Category.objects.get(path="Food > Wine").pk})
    assert hidden() == {"merlot"}
    assert not unmatched_rules()
