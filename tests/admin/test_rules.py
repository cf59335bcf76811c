"""Rules in the admin: what is entered has to make sense, and its effect is seen before it is saved."""

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from ecomrec_django.conf import conf
from ecomrec_django.models import Rule, Segment
from ecomrec_django.strategies.base import Offer, Reason
from ecomrec_django.testing import publish_offers
from tests.hosts.models import IntegerProduct

pytestmark = pytest.mark.urls("tests.admin.urls")
ADD = "/admin/ecomrec/rule/add/"


@pytest.fixture(autouse=True)
def _published(integer_key_shop):
    publish_offers(
        {
            "bought_with": {str(n): [str(n + 20), "40"] for n in range(1, 15)},
            "for_you": {"": ["3", "2"], "Food": ["5", "40"]},
        }
    )


def entered(**fields):
    return {"name": "No 40", "action": "hide", "factor": "2", "active": "on", **fields}


def test_a_preview_shows_ten_real_pages_before_and_after_and_saves_nothing(superuser_client):
    answer = superuser_client.post(ADD, entered(lowest_price="40", _preview="1"))
    effects = answer.context["effects"]
    assert not Rule.objects.exists()
    assert len(effects) == 10
    assert all(effect.changed for effect in effects)
    first = effects[0]
    # A bestseller's page comes first.
    assert (first.strategy, str(first.of)) == ("Bought with", "3")
    assert [offer.item.external_id for offer in first.before] == ["23", "40"]
    assert [(offer.item.external_id, offer.marked) for offer in first.before] == [("23", False), ("40", True)]
    assert [(offer.item.external_id, offer.marked) for offer in first.after] == [("23", False)]
    page = answer.content.decode()
    assert "What this rule would change" in page
    assert 'value="No 40"' in page
    assert "errornote" not in page


def test_a_previewed_rule_can_be_saved(superuser_client):
    answer = superuser_client.post(ADD, entered(lowest_price="40", _save="Save"))
    assert answer.status_code == 302
    rule = Rule.objects.get()
    assert (rule.name, rule.lowest_price, rule.created_by.username) == ("No 40", 40, "boss")
    assert LogEntry.objects.get().get_change_message() == "Added."


def test_a_rule_that_changes_nothing_shows_pages_as_they_are(superuser_client):
    effects = superuser_client.post(ADD, entered(brand="nobody's", _preview="1")).context["effects"]
    assert len(effects) == 10
    assert not any(effect.changed for effect in effects)


def test_a_preview_of_a_saved_rule_compares_with_the_shop_without_it(superuser_client):
    rule = Rule.objects.create(name="old", action="hide", lowest_price=40)
    url = reverse("admin:ecomrec_rule_change", args=[rule.pk])
    effects = superuser_client.post(url, entered(lowest_price="23", _preview="1")).context["effects"]
    assert [offer.item.external_id for offer in effects[0].before] == ["23", "40"]
    assert effects[0].after == []
    rule.refresh_from_db()
    assert rule.lowest_price == 40


def test_a_preview_keeps_to_the_rules_strategy_slot_season_and_segment(superuser_client):
    segment = Segment.objects.create(label=1, description="gourmets")
    effects = superuser_client.post(
        ADD,
        entered(
            lowest_price="40",
            strategy="for_you",
            slot="category",
            segment=segment.pk,
            starts_0="2030-01-01",
            starts_1="00:00",
            _preview="1",
        ),
    ).context["effects"]
    assert [(effect.strategy, effect.of, effect.changed) for effect in effects] == [
        ("For you", "Food", True),
        ("For you", None, False),
    ]


def test_a_shop_without_a_release_says_that_nothing_is_concerned(superuser_client):
    from ecomrec_django.models import Publication

    Publication.objects.all().delete()
    page = superuser_client.post(ADD, entered(_preview="1")).content.decode()
    assert "this rule would change nothing" in page


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"lowest_price": "9", "highest_price": "3"}, "highest_price"),
        ({"lowest_stock": "9", "highest_stock": "3"}, "highest_stock"),
        ({"starts_0": "2026-02-02", "starts_1": "10:00", "ends_0": "2026-02-02", "ends_1": "09:00"}, "ends"),
        ({"lowest_margin": "30"}, "lowest_margin"),
        ({"lowest_margin": "nan"}, "lowest_margin"),
        ({"value": "red"}, "attribute"),
        ({"factor": "0"}, "factor"),
        ({"factor": "inf"}, "factor"),
        ({"strategy": "unheard_of"}, "strategy"),
        ({"slot": "cellar"}, "slot"),
        ({"action": "praise"}, "action"),
        ({"action": "limit"}, "max_share"),
        ({"action": "limit", "max_share": "0"}, "max_share"),
        ({"action": "limit", "max_share": "5"}, "max_share"),
        ({"action": "limit", "max_share": "0.1", "slot": "cart"}, "slot"),
        ({"action": "limit", "max_share": "0.1", "lowest_stock": "1"}, "lowest_stock"),
        ({"action": "dial"}, "discovery"),
        ({"action": "dial", "discovery": "1.1"}, "discovery"),
        ({"action": "dial", "discovery": "nan"}, "discovery"),
        ({"action": "dial", "discovery": "0.3", "brand": "x"}, "brand"),
        ({"action": "dial", "discovery": "0.3", "new_days": "0"}, "new_days"),
    ],
    ids=str,
)
@pytest.mark.parametrize("button", ["_save", "_preview"])
def test_invalid_input_names_the_field(superuser_client, fields, wrong, button):
    answer = superuser_client.post(ADD, entered(**fields, **{button: "1"}))
    assert answer.status_code == 200
    assert wrong in answer.context["adminform"].form.errors
    assert not Rule.objects.exists()


def test_staff_who_may_only_look_neither_preview_nor_save(client_with):
    rule = Rule.objects.create(name="old", action="hide", lowest_price=40)
    url = reverse("admin:ecomrec_rule_change", args=[rule.pk])
    staff = client_with("view_rule")
    assert "_preview" not in staff.get(url).content.decode()
    assert staff.post(url, entered(_preview="1")).status_code == 403
    assert staff.post(ADD, entered(_preview="1")).status_code == 403
    assert "/admin/login/" in staff.__class__().post(ADD, entered(_preview="1"))["Location"]


def test_the_list_says_where_which_and_whether_in_force(superuser_client):
    Rule.objects.create(name="a", action="hide", strategy="for_you", brand="x", highest_price=3)
    Rule.objects.create(name="b", action="boost", active=False)
    page = superuser_client.get("/admin/ecomrec/rule/").content.decode()
    Rule.objects.create(name="c", action="limit", brand="y", max_share=0.05)
    page += superuser_client.get("/admin/ecomrec/rule/").content.decode()
    for text in ("For you", "x · price –3", "everywhere", "every offer", "y · at most 5.0% of pages"):
        assert text in page


def test_rules_name_the_currency_of_their_prices(superuser_client, monkeypatch):
    Rule.objects.create(name="a", action="hide", highest_price=3)
    for currency, text, help_text in (
        ("CHF", "price –3.00 CHF", "List price in CHF, "),
        ("", "price –3.00<", "List price, "),
    ):
        monkeypatch.setattr(conf.CATALOG, "base_currency", currency)
        page = superuser_client.get("/admin/ecomrec/rule/").content.decode()
        assert text in page
        assert help_text in superuser_client.get(ADD).content.decode()


def test_a_preview_asks_the_database_no_more_than_it_has_pages(superuser_client, django_assert_max_num_queries):
    IntegerProduct.objects.filter(pk=40).update(stock=0)
    with django_assert_max_num_queries(100):
        superuser_client.post(ADD, entered(lowest_price="23", _preview="1"))


def test_turning_discovery_is_previewed_on_ten_product_pages_then_saved_and_undone(superuser_client, integer_key_shop):
    common = Offer("40", 0.5, Reason.AISLE, 0, (9, 0.5, 1.25))
    rare = {str(n): Offer(str(n + 20), 0.4, Reason.AISLE, 0, (9, 0.05, 12.5)) for n in range(1, 15)}
    publish_offers({"bought_with": {name: [common, offer] for name, offer in rare.items()}})
    dial = {"action": "dial", "discovery": "0.5", "strategy": "bought_with"}
    effects = superuser_client.post(ADD, entered(**dial, _preview="1")).context["effects"]
    assert not Rule.objects.exists()
    assert len(effects) == 10
    for effect in effects:
        own = str(int(effect.of.external_id) + 20)
        assert [offer.item.external_id for offer in effect.before] == ["40", own]
        assert [offer.item.external_id for offer in effect.after] == [own, "40"]
    assert superuser_client.post(ADD, entered(**dial, _save="Save")).status_code == 302
    rule = Rule.objects.get()
    assert (rule.discovery, rule.created_by.username) == (0.5, "boss")
    assert "discovery 0.50" in superuser_client.get("/admin/ecomrec/rule/").content.decode()
    url = reverse("admin:ecomrec_rule_change", args=[rule.pk])
    superuser_client.post(url, {**entered(**dial), "active": "", "_save": "Save"})
    assert LogEntry.objects.count() == 2
    assert not Rule.objects.get().active
