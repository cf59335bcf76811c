"""Why and why not, for staff."""

import pytest
from django.contrib.auth.models import Permission, User

from ecomrec_django.models import Category, Item, Override, Rule, Segment, Visitor
from ecomrec_django.serving.rulebook import invalidate_rulebook
from ecomrec_django.testing import publish_offers
from example_shop.models import Category as ShopCategory
from example_shop.models import Product

URL = "/ecomrec/api/explain/"


@pytest.fixture
def shop(db):
    """Beside "a": "b" to "h", of which "c" is blocked, "d" not available and "e" hidden by a rule."""
    shelves = {name: ShopCategory.objects.create(name=name, slug=name) for name in ("one", "two")}
    for sku in "abcdefgh":
        Product.objects.create(
            sku=sku,
            title=sku.upper(),
            price=1,
            stock=0 if sku == "d" else 9,
            category=shelves["one" if sku == "a" else "two"],
        )
    publish_offers({"bought_with": {"a": list("bcdefgh")}, "for_you": {"": ["g", "h"]}})
    items = {item.external_id: item for item in Item.objects.all()}
    Override.objects.create(strategy="bought_with", action="block", anchor=items["a"], offer=items["c"])
    Rule.objects.create(name="No E", action="hide", item=items["e"])
    invalidate_rulebook()
    return items


@pytest.fixture
def staff(client):
    def allowed(*codenames):
        user = User.objects.create_user("staff", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client.force_login(user)
        return client

    return allowed


def test_every_candidate_has_its_place_or_what_keeps_it_out(shop, staff):
    (block,) = staff("view_offerlist").get(URL, {"strategy": "bought_with", "item": "a"}).json()["blocks"]
    told = [(one["item"], one["place"], one["rule"]) for one in block["candidates"]]
    assert told == [
        ("b", 1, ""),
        ("c", None, "blocked"),
        ("d", None, "unavailable"),
        ("e", None, "hidden_by_rule"),
        ("f", 2, ""),
        ("g", 3, ""),
        ("h", 4, ""),
    ]
    assert block["candidates"][1]["rule_text"] == "Blocked for this item"


def test_a_slot_tells_which_of_its_strategies_fills_it(shop, staff):
    client = staff("view_offerlist")
    blocks = client.get(URL, {"slot": "product", "item": "a"}).json()["blocks"]
    assert [(one["strategy"], one["fills"]) for one in blocks] == [("bought_with", True), ("for_you", False)]
    blocks = client.get(URL, {"slot": "product", "item": "b"}).json()["blocks"]
    assert [(one["strategy"], one["fills"]) for one in blocks] == [("bought_with", False), ("for_you", True)]


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ("a", "It is the product on the page"),
        ("nothing", "No longer in the catalog, or not visible to this shopper"),
        ("z", "Not in the list: 0 orders contain both (customers: 0), and other offers have stronger evidence"),
    ],
)
def test_products_that_are_no_candidates_have_a_reason(shop, staff, item, why):
    Product.objects.create(sku="z", title="Z", price=1)
    Item.objects.create(external_id="z", title="Z", fingerprint="")
    (block,) = (
        staff("view_offerlist").get(URL, {"strategy": "bought_with", "item": "a", "why_not": item}).json()["blocks"]
    )
    assert block["why_not"] == why


def test_the_product_on_the_page_is_none_whatever_the_strategy(shop, staff):
    blocks = staff("view_offerlist").get(URL, {"slot": "product", "item": "a", "why_not": "a"}).json()["blocks"]
    assert [(block["strategy"], block["why_not"]) for block in blocks] == [
        ("bought_with", "It is the product on the page"),
        ("for_you", "It is the product on the page"),
    ]


def test_an_upgrade_of_another_need_is_told_as_such(shop, staff):
    mirrored = {name: Category.objects.create(name=name, path=name, digest=name) for name in ("one", "two")}
    Item.objects.filter(external_id="a").update(category=mirrored["one"])
    Item.objects.exclude(external_id="a").update(category=mirrored["two"])
    Product.objects.filter(sku="b").update(price="1.30")
    (block,) = (
        staff("view_offerlist").get(URL, {"strategy": "upgrade_to", "item": "a", "why_not": "b"}).json()["blocks"]
    )
    assert block["why_not"] == "Serves a different need from the product on the page"


def test_a_segment_sees_what_holds_for_it_alone(shop, staff):
    segment = Segment.objects.create(label=1, description="Campers", size=3)
    Override.objects.create(strategy="bought_with", action="block", anchor=shop["a"], offer=shop["b"], segment=segment)
    client = staff("view_offerlist")

    def first(**seen_by):
        (block,) = client.get(URL, {"strategy": "bought_with", "item": "a", **seen_by}).json()["blocks"]
        return block["candidates"][0]["rule"]

    assert first() == ""
    assert first(segment=segment.pk) == "blocked"


def test_a_visitor_is_looked_at_only_with_the_right_to_view_visitors(shop, staff, client):
    Visitor.objects.create(key="f" * 64)
    asked = {"strategy": "bought_with", "item": "a", "visitor": "f" * 64}
    assert staff("view_offerlist").get(URL, asked).status_code == 403
    User.objects.get(username="staff").user_permissions.add(Permission.objects.get(codename="view_visitor"))
    assert client.get(URL, asked).status_code == 200
    assert client.get(URL, {**asked, "visitor": "nobody"}).status_code == 400


def test_explanations_need_permission(shop, staff, client):
    asked = {"strategy": "bought_with", "item": "a"}
    assert client.get(URL, asked).status_code == 403
    assert staff("view_release").get(URL, asked).status_code == 403


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"strategy": "bought_with", "slot": "product"},
        {"strategy": "nonsense"},
        {"slot": "nonsense"},
        {"strategy": "bought_with", "segment": 99},
        {"strategy": "bought_with", "segment": "x"},
        {"strategy": "bought_with", "what": "?"},
    ],
)
def test_invalid_parameters_are_rejected_with_a_reason(shop, staff, asked):
    answer = staff("view_offerlist").get(URL, asked)
    assert answer.status_code == 400
    assert answer.json()
