"""What is offered beside a product, on its own page in the shop's admin."""

from html import unescape
from re import findall

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ecomrec_django.models import Decision, Item, OfferList, Override, Publication
from ecomrec_django.strategies.base import decode_offers
from example_shop.models import Category, Product
from tests.support.releases import item, release

VIEWER, REVIEWER = ("view_offerlist",), ("view_offerlist", "review_offers")


@pytest.fixture
def tent(db) -> Product:
    """A product that offers eight others, first of all pegs that may be what they like."""
    category = Category.objects.create(name="Tents", slug="tents")
    product = Product.objects.create(sku="tent/1 & more", title="Tent", category=category, price="100.00")
    made = release({"lamp": "mat"})
    for strategy, names in (("bought_with", "pegs&1 lamp mat mug bowl rope knife"), ("upgrade_to", "villa")):
        row = release({"x": names}, strategy).lists.get()
        row.release, row.anchor = made, item("tent/1 & more")
        row.save()
    Publication.objects.create(pk=Publication.CURRENT, release=made)
    return product


@pytest.fixture
def staff(db):
    """A client of staff who may change products, with these rights of ours."""

    def make(*rights: str, shop: tuple[str, ...] = ("view_product", "change_product")) -> Client:
        user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=[*rights, *shop]))
        client = Client()
        client.force_login(user)
        return client

    return make


def page(product) -> str:
    return f"/admin/shop/product/{product.pk}/change/"


def buttons(html) -> list[tuple[str, str, str]]:
    """(address, name, value)"""
    found = findall(r'formaction="([^"]*)" formnovalidate name="([^"]*)" value="([^"]*)"', html)
    return [tuple(map(unescape, one)) for one in found]


def test_the_panel_shows_the_first_offers_of_each_list(staff, tent):
    html = staff(*VIEWER).get(page(tent)).content.decode()
    assert "offers for this product" in html.lower()
    panel = html[html.index("ecomrec-panel") :]
    places = [panel.index(text) for text in ("Bought with", "Title pegs&amp;1", "Title rope", "Upgrade to", "villa")]
    assert places == sorted(places)
    assert "knife" not in panel
    assert not buttons(html)


@pytest.mark.parametrize("rights", [(), ("review_offers",), ("view_release",)])
def test_the_panel_needs_permission_to_view_lists(staff, tent, rights):
    html = staff(*rights).get(page(tent)).content.decode()
    assert "ecomrec-panel" not in html
    assert "offers for this product" not in html.lower()


def test_the_page_of_the_product_stays_closed_as_it_was(client, staff, tent):
    assert "/admin/login/" in client.get(page(tent))["Location"]
    assert staff(*REVIEWER, shop=()).get(page(tent)).status_code == 403
    assert "ecomrec-panel" in staff(*REVIEWER, shop=("view_product",)).get(page(tent)).content.decode()


def test_its_buttons_pin_block_and_undo_and_lead_back_to_the_product(staff, tent):
    client = staff(*REVIEWER)
    for name in ("ecomrec_pin", "ecomrec_block", "ecomrec_undo"):
        found = buttons(client.get(page(tent)).content.decode())
        address = next(where for where, what, value in found if (what, value) == (name, "pegs&1"))
        # With all that stands in the product's own form.
        response = client.post(address, {name: "pegs&1", "title": "Changed", "pin": "lamp", "note": "Not ours."})
        assert response["Location"] == page(tent)
        words = list(Override.objects.values_list("offer__external_id", "action"))
        assert words == ([] if name == "ecomrec_undo" else [("pegs&1", name.removeprefix("ecomrec_"))])
        message = client.get(page(tent)).content.decode()
        assert "“Title pegs&amp;1”" in message
    assert list(Decision.objects.values_list("note", flat=True)) == [""] * 3
    assert Product.objects.get(pk=tent.pk).title == "Tent"


def test_a_press_needs_the_right_to_review(staff, tent):
    (address, name, value), *_ = buttons(staff(*REVIEWER).get(page(tent)).content.decode())
    assert staff(*VIEWER).post(address, {name: value}).status_code == 403
    assert staff("review_offers").post(address, {name: value}).status_code == 403
    assert not Override.objects.exists()


def test_the_panel_marks_pins_blocks_and_new_offers(staff, tent):
    row = OfferList.objects.get(strategy="upgrade_to")
    row.unreviewed, row.priority = ["villa"], 1.0
    row.save()
    Override.objects.create(strategy="bought_with", anchor=row.anchor, offer=item("mat"), action="block")
    Override.objects.create(strategy="bought_with", anchor=row.anchor, offer=item("knife"), action="pin")
    html = staff(*VIEWER).get(page(tent)).content.decode()
    panel = html[html.index("ecomrec-panel") :]
    places = [panel.index(text) for text in ("knife", "pinned", "pegs", "Title mat", "blocked", "villa", ">new<")]
    assert places == sorted(places)


def test_the_product_is_saved_as_without_it(staff, tent):
    client = staff(*REVIEWER)
    form = client.get(page(tent)).context["adminform"].form
    values = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    entered = {name: "" if value is None else value for name, value in values.items() if name != "image"}
    response = client.post(page(tent), {**entered, "title": "Big tent"})
    assert response["Location"] == "/admin/shop/product/"
    assert Product.objects.get(pk=tent.pk).title == "Big tent"
    assert not Decision.objects.exists()


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (Publication, "not in the published release"),
        (Item, "not in the published release"),
        (OfferList, "no list of its own"),
    ],
)
def test_an_empty_panel_gives_the_reason(staff, tent, missing, said):
    missing.objects.all().delete()
    assert said in staff(*REVIEWER).get(page(tent)).content.decode()


def test_a_product_that_is_only_being_added_has_none(staff, tent):
    html = staff(*REVIEWER, shop=("add_product", "view_product")).get("/admin/shop/product/add/").content.decode()
    assert "ecomrec-panel" not in html
    assert "offers for this product" not in html.lower()


def test_a_longer_list_takes_no_more_queries(staff, tent):
    client = staff(*REVIEWER)
    client.get(page(tent))
    row = OfferList.objects.get(strategy="bought_with", anchor__external_id=tent.sku)
    counts = []
    for names in ("lamp mat", " ".join(f"n{number}" for number in range(50))):
        row.offers = release({"x": names}).lists.get().offers
        row.save()
        assert len(decode_offers(row.offers)) == len(names.split())
        with CaptureQueriesContext(connection) as queries:
            client.get(page(tent))
        counts.append(len(queries))
    assert counts[0] == counts[1]
