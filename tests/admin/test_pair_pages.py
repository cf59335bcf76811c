"""The page of one pair's evidence, and the page that tells why and why not."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission, User

from ecomrec_django.models import Arm, Event, Experiment, Override, Segment, Visitor
from ecomrec_django.serving.rulebook import invalidate_rulebook
from example_shop.models import Order, Product

WHY = "/admin/ecomrec/offerlist/why/"


def evidence(planted, offer="P2"):
    return f"/admin/ecomrec/offerlist/{planted.offer_list.pk}/evidence/?offer={offer}"


@pytest.fixture
def bought(planted):
    """Two orders with both, one with the anchor alone, one in which the offer was given back."""
    anchor, offer = planted.items[:2]
    rows = [("o1", anchor), ("o1", offer), ("o2", anchor), ("o2", offer), ("o3", anchor), ("o4", anchor), ("o4", offer)]
    visitors = {order: Visitor.objects.create(key=order) for order in ("o1", "o2", "o3", "o4")}
    Event.objects.bulk_create(
        Event(
            kind="purchase",
            visitor=visitors[order],
            item=item,
            basket=order,
            time=datetime(2026, 1, 1 + at, tzinfo=UTC),
        )
        for at, (order, item) in enumerate(rows)
    )
    Event.objects.create(
        kind="refund", visitor=visitors["o4"], item=offer, basket="o4", time=datetime(2026, 2, 1, tzinfo=UTC)
    )
    return planted


def test_the_evidence_of_a_pair_goes_down_to_its_orders(superuser_client, bought):
    order = Order.objects.create(number="o1")
    page = superuser_client.get(evidence(bought))
    counted = {figure.label: figure.value for figure in page.context["counted"]}
    assert counted["Orders with both"] == "2"
    assert counted["Different customers"] == "2"
    assert counted["Orders with the anchor"] == "4"
    assert counted["Orders with the offer"] == "2"
    assert page.context["orders"] == [
        ("o2", "Jan. 3, 2026", ""),
        ("o1", "Jan. 1, 2026", f"/admin/shop/order/{order.pk}/change/"),
    ]
    assert "214" in page.content.decode()


def test_orders_need_permission_to_view_the_shops_orders(client_with, bought):
    client = client_with("view_offerlist")
    page = client.get(evidence(bought))
    assert page.context["orders"] == []
    assert "Orders are visible to staff who may view them in the shop." in page.content.decode()
    assert "o1" not in page.content.decode().split("ecomrec-orders")[1]
    staff = User.objects.latest("pk")
    staff.user_permissions.add(Permission.objects.get(codename="view_order", content_type__app_label="shop"))
    assert len(client.get(evidence(bought)).context["orders"]) == 2


@pytest.mark.parametrize("offer", ["P1", "P6", "no such", ""])
def test_items_outside_the_list_have_no_evidence(superuser_client, bought, offer):
    assert superuser_client.get(evidence(bought, offer)).status_code == 404


def test_both_pages_need_permission_to_view_offer_lists(client, client_with, bought):
    for url in (evidence(bought), WHY):
        assert "/admin/login/" in client.get(url)["Location"]
        assert client_with("view_release").get(url).status_code == 403
        assert client_with("view_offerlist").get(url).status_code == 200


@pytest.fixture
def products(planted):
    """What the shop has of the planted items; the third is sold out."""
    for item in planted.items:
        Product.objects.create(
            sku=item.external_id, title=item.title, price=item.price, stock=0 if item.external_id == "P3" else 9
        )
    return planted


def asked(planted, **what):
    return {"block": "bought_with", "item": planted.items[0].pk, **what}


def test_candidates_are_listed_with_what_becomes_of_them(superuser_client, products):
    page = superuser_client.get(WHY, asked(products))
    (block,) = page.context["blocks"]
    assert [(one.item.external_id, one.outcome) for one in block.shown] == [
        ("P2", "Shown in position 1"),
        ("P4", "Shown in position 2"),
    ]
    assert [(one.item.external_id, one.outcome) for one in block.others] == [("P3", "Not available right now")]


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (0, "It is the product on the page"),
        (1, "Shown in position 1 (rank 1)"),
        (2, "Not available right now (rank 2)"),
    ],
)
def test_why_not_has_one_answer(superuser_client, products, other, told):
    page = superuser_client.get(WHY, asked(products, other=products.items[other].pk))
    assert page.context["why_not"] == [("Bought with", told)]


def test_a_segment_sees_what_holds_for_it(superuser_client, products):
    segment = Segment.objects.create(label=1, description="Campers", size=3)
    Override.objects.create(
        strategy="bought_with",
        action="block",
        anchor=products.items[0],
        offer=products.items[1],
        segment=segment,
    )
    page = superuser_client.get(WHY, asked(products, segment=segment.pk))
    assert [one.item.external_id for one in page.context["blocks"][0].shown] == ["P4"]


def test_a_visitor_is_looked_at_only_by_those_who_may_see_visitors(superuser_client, client_with, products):
    Visitor.objects.create(key="abcdef0123" + "0" * 54)
    assert "visitor" not in client_with("view_offerlist").get(WHY).context["form"].fields
    page = superuser_client.get(WHY, asked(products, visitor="abcdef0123"))
    assert page.context["blocks"]
    page = superuser_client.get(WHY, asked(products, visitor="nobody"))
    assert page.context["form"].errors["visitor"] == ["There is no visitor with this key."]
    assert page.context["blocks"] is None


@pytest.mark.parametrize(
    "what", [{"item": ""}, {"item": "x"}, {"block": "nonsense"}, {"segment": "9"}, {"other": "999999"}]
)
def test_invalid_input_is_reported_at_its_field(superuser_client, products, what):
    page = superuser_client.get(WHY, asked(products, **what))
    assert list(page.context["form"].errors) == [next(iter(what))]
    assert page.context["blocks"] is None


def test_a_visitor_of_the_holdout_is_told_to_see_nothing(superuser_client, products):
    experiment = Experiment.objects.create(name="first", slot="product", status="running", holdout=1.0)
    Arm.objects.create(experiment=experiment, name="a")
    Arm.objects.create(experiment=experiment, name="no offers", is_holdout=True)
    invalidate_rulebook()
    Visitor.objects.create(key="abcdef0123" + "0" * 54)
    page = superuser_client.get(WHY, asked(products, block="slot:product", visitor="abcdef0123"))
    assert page.context["blocks"] == []
    assert "holdout of an experiment" in page.content.decode()
    page = superuser_client.get(WHY, asked(products, block="slot:product"))
    assert [one.fills for one in page.context["blocks"]] == [True, False]
