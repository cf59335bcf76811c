"""Rules in the admin: what is entered has to make sense, and its effect is seen before it is saved."""

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from ecomrec_django.models import Rule, Segment
from ecomrec_django.testing import publish_offers
from tests.hosts.models import IntegerProduct

pytestmark = pytest.mark.urls("tests.admin.urls")
ADD = "/admin/ecomrec/rule/add/"


@pytest.fixture(autouse=True)
def _published(host):
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


def test_what_was_previewed_is_saved_by_the_next_button(superuser_client):
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
    segment = Segment.objects.create(label=1, described="gourmets")
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
    ],
    ids=str,
)
@pytest.mark.parametrize("button", ["_save", "_preview"])
def test_what_makes_no_sense_is_refused_with_its_field(superuser_client, fields, wrong, button):
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
    for text in ("For you", "x · price –3", "everywhere", "every offer"):
        assert text in page


def test_a_preview_asks_the_database_no_more_than_it_has_pages(superuser_client, django_assert_max_num_queries):
    IntegerProduct.objects.filter(pk=40).update(stock=0)
    with django_assert_max_num_queries(100):
        superuser_client.post(ADD, entered(lowest_price="23", _preview="1"))
