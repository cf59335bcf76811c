"""What an Oscar shop does, through Oscar's own pages and models, and what we make of it."""

import re
from datetime import timedelta
from decimal import Decimal
from io import BytesIO

import pytest
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from oscar.apps.catalogue.categories import create_from_breadcrumbs
from oscar.core.loading import get_model
from oscar.test.factories import create_basket, create_order, create_product
from PIL import Image

from ecomrec_django.catalog.guests import guest_hash
from ecomrec_django.catalog.sync import sync
from ecomrec_django.conf import conf
from ecomrec_django.contrib.oscar import OscarCatalog
from ecomrec_django.models import Event, Item, Rule
from ecomrec_django.serving.offers import offers
from ecomrec_django.serving.rulebook import Rulebook, set_rulebook
from ecomrec_django.serving.rules import CompiledRule
from ecomrec_django.strategies.base import Offer, Reason
from ecomrec_django.tasks import run_training
from ecomrec_django.testing import publish_offers
from ecomrec_django.tracking.importers.orders import import_purchases
from ecomrec_django.tracking.importers.reviews import import_reviews
from ecomrec_django.tracking.visitors import guest_key, open_cookie, token_key, user_key

Order, User, Product = get_model("order", "Order"), get_model("auth", "User"), get_model("catalogue", "Product")
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(autouse=True)
def _surroundings(settings, tmp_path):
    settings.ECOMREC = {**settings.ECOMREC, "ARTIFACTS": tmp_path / "artifacts"}
    cache.clear()


def product(title, category, price, stock=100, **more):
    made = create_product(title=title, product_class="Outdoor", price=Decimal(price), num_in_stock=stock, **more)
    made.product_class.requires_shipping = False
    made.product_class.save()
    made.categories.add(create_from_breadcrumbs(category))
    return made


@pytest.fixture
def shop(transactional_db):
    """Tents, one of them in two colours, and what goes with them."""
    products = {
        "tent": product("Tent", "Camping > Tents", "100"),
        "better": product("Better tent", "Camping > Tents", "130"),
        "pegs": product("Pegs", "Camping > Pegs", "9"),
        "lamp": create_product(title="Lamp", product_class="Outdoor", structure="parent"),
    }
    products["lamp"].categories.add(create_from_breadcrumbs("Camping > Lamps"))
    for name, price, stock in [("red", "30", 0), ("blue", "28", 90), ("green", "27", 90)]:
        products[name] = create_product(
            title=f"Lamp, {name}",
            product_class="Outdoor",
            parent=products["lamp"],
            price=Decimal(price),
            num_in_stock=stock,
        )
    Product.objects.filter(title="Lamp, green").update(is_public=False)
    sync()
    return products


@pytest.fixture
def shopper(client):
    client.defaults["HTTP_USER_AGENT"] = BROWSER
    client.cookies["ecomrec_consent"] = "yes"
    return client


def events(*kinds):
    return list(
        Event.objects.filter(kind__in=kinds).order_by("pk").values_list("item__external_id", "quantity", "price")
    )


def put_into_basket(shopper, item, quantity=1):
    url = reverse("basket:add", kwargs={"pk": item.parent_id or item.pk})
    data = {"quantity": quantity, **({"child_id": item.pk} if item.parent_id else {})}
    assert shopper.post(url, data).status_code == 302


def check_out(shopper, email="guest@example.com"):
    """Through Oscar's own checkout, as a guest unless logged in; returns the order."""
    shopper.post(reverse("checkout:index"), {"username": email, "options": "anonymous"})
    # Products that need no shipping: Oscar notes so on this page, and goes on.
    shopper.get(reverse("checkout:shipping-method"))
    answer = shopper.post(reverse("checkout:preview"), {"action": "place_order"})
    assert answer["Location"] == reverse("checkout:thank-you")
    return Order.objects.latest("pk")


def buy(user, *bought):
    basket = create_basket(empty=True)
    for item in bought:
        basket.add_product(item)
    return create_order(number=f"n{Order.objects.count()}", basket=basket, user=user)


def block_of(page, strategy):
    return re.search(rf'<section class="ecomrec-block ecomrec-{strategy}".*?</section>', page, re.DOTALL)[0]


# -- the catalog ----------------------------------------------------------------------------------------------------


def test_stand_alone_products_and_parents_are_the_items(shop):
    found = dict(Item.objects.values_list("external_id", "title"))
    assert found == {str(shop[name].pk): shop[name].title for name in ("tent", "better", "pegs", "lamp")}


def test_categories_prices_and_stock_are_oscars(shop):
    tent, lamp = (Item.objects.get(external_id=str(shop[name].pk)) for name in ("tent", "lamp"))
    assert (tent.category.path, tent.price, tent.available) == ("Camping > Tents", Decimal("100.00"), True)
    # Red is sold out and green is not public.
    assert (lamp.category.path, lamp.price, lamp.available) == ("Camping > Lamps", Decimal("28.00"), True)
    shop["blue"].stockrecords.update(num_in_stock=0)
    sync()
    assert not Item.objects.get(external_id=str(shop["lamp"].pk)).available


def test_the_brand_and_the_other_attributes_are_oscars(shop):
    given = {"brand": "Trail", "colour": "red", "persons": "2"}
    made = product("Trail tent", "Camping > Tents", "120", attributes=given)
    sync()
    item = Item.objects.get(external_id=str(made.pk))
    assert (item.brand, item.attributes) == ("Trail", {"colour": "red", "persons": "2"})
    assert Item.objects.get(external_id=str(shop["tent"].pk)).attributes == {}


def test_a_subclass_may_know_what_products_cost_the_shop(shop):
    class CostCatalog(OscarCatalog):
        def base_cost(self, product):
            return Decimal("70")

    assert CostCatalog().describe(shop["tent"]).cost == Decimal("70")
    assert OscarCatalog().describe(shop["tent"]).cost is None


def test_private_products_are_never_shown(shop):
    Product.objects.filter(pk=shop["pegs"].pk).update(is_public=False)
    assert conf.CATALOG().in_bulk([str(shop["pegs"].pk)], None) == {}
    sync()
    assert not Item.objects.get(external_id=str(shop["pegs"].pk)).active


def test_a_picture_and_a_missing_one(shop):
    file = BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG")
    shop["tent"].images.create(original=ContentFile(file.getvalue(), name="tent.png"))
    catalog = conf.CATALOG()
    live = catalog.in_bulk([str(shop["tent"].pk), str(shop["pegs"].pk)], None)
    assert catalog.image_url(live[str(shop["tent"].pk)]).endswith(".png")
    assert catalog.image_url(live[str(shop["pegs"].pk)]) == ""


def test_stock_is_what_can_be_bought_without_a_query(shop, django_assert_num_queries):
    shop["blue"].stockrecords.update(num_allocated=20)
    shop["pegs"].stockrecords.update(num_in_stock=0)
    download = product("Map", "Camping > Maps", "3")
    download.product_class = get_model("catalogue", "ProductClass").objects.create(name="Files", track_stock=False)
    download.save()
    catalog = conf.CATALOG()
    live = catalog.in_bulk([str(one.pk) for one in (*shop.values(), download)], None)
    with django_assert_num_queries(0):
        levels = {one.title: catalog.stock_level(one) for one in live.values()}
    # Of the lamps, red is sold out, green is not public, and 20 of the 90 blue ones are promised.
    assert levels == {"Tent": 100, "Better tent": 100, "Pegs": 0, "Lamp": 70, "Map": None}


def test_a_rule_of_stock_holds_and_costs_no_query(shop, rf):
    anchor = str(shop["tent"].pk)
    publish_offers({"bought_with": {anchor: [str(shop["lamp"].pk), str(shop["pegs"].pk)]}})
    shop["pegs"].stockrecords.update(num_in_stock=3)
    found, counts = [], set()
    for rules in ([], [Rule(name="Nearly gone", action="hide", highest_stock=5)]):
        cache.clear()
        set_rulebook(Rulebook.of(CompiledRule.of(rule) for rule in rules))
        with CaptureQueriesContext(connection) as queries:
            found.append([offer.item for offer in offers(rf.get("/"), "bought_with", [anchor]).offers])
        counts.add(len(queries))
    assert found == [[str(shop["lamp"].pk), str(shop["pegs"].pk)], [str(shop["lamp"].pk)]]
    assert counts == {6}


def test_a_block_costs_as_many_queries_for_many_offers_as_for_few(shop, rf):
    more = [product(f"Mug {n}", f"Camping > Mugs {n}", "5") for n in range(12)]
    sync()
    anchor = str(shop["tent"].pk)
    publish_offers(
        {"bought_with": {anchor: [str(shop["lamp"].pk), str(shop["pegs"].pk), *(str(mug.pk) for mug in more)]}}
    )
    counts = []
    for limit in (2, 12):
        # As in a process that has shown a page: it knows the merchant's rules.
        set_rulebook(Rulebook())
        with CaptureQueriesContext(connection) as queries:
            assert len(offers(rf.get("/"), "bought_with", [anchor], limit).offers) == limit
        counts.append(len(queries))
        cache.clear()
    assert counts == [6, 6]


def test_queries_do_not_depend_on_the_number_of_offers(shop, rf):
    given = {"colour": "red", "persons": "2"}
    mugs = [product(f"Mug {n}", f"Camping > Mugs {n}", "5") for n in range(8)]
    tents = [product(f"Tent {n}", "Camping > Tents", "140", attributes=given) for n in range(8)]
    sync()
    tent = str(shop["tent"].pk)
    upgrades = [
        Offer(item=str(one.pk), score=1.0, reason=Reason.UPGRADE, aisle=0, evidence=(1.4, 1.05, 1.8, 0.9, 3))
        for one in tents
    ]
    publish_offers({"bought_with": {tent: [str(mug.pk) for mug in mugs]}, "upgrade_to": {tent: upgrades}})
    for strategy in ("bought_with", "upgrade_to"):
        counts = set()
        for limit in (2, 8):
            cache.clear()
            on_page = Product.objects.get(pk=tent)
            with CaptureQueriesContext(connection) as queries:
                assert len(offers(rf.get("/"), strategy, [on_page], limit).offers) == limit
            counts.add(len(queries))
        assert len(counts) == 1


# -- behaviour ------------------------------------------------------------------------------------------------------


def test_a_visit_creates_four_kinds_of_events(shop, shopper):
    assert shopper.get(shop["tent"].get_absolute_url()).status_code == 200
    assert shopper.get(shop["blue"].get_absolute_url()).status_code == 200
    tent, lamp = str(shop["tent"].pk), str(shop["lamp"].pk)
    assert events("view_item") == [(tent, 1, None), (lamp, 1, None)]
    put_into_basket(shopper, shop["tent"])
    put_into_basket(shopper, shop["blue"], 2)
    assert events("add_to_cart") == [(tent, 1, None), (lamp, 2, None)]
    order = check_out(shopper)
    assert events("purchase") == [(tent, 1, Decimal("100.00")), (lamp, 2, Decimal("28.00"))]
    visitor = token_key(open_cookie(shopper.cookies["ecomrec_visitor"].value))
    assert order.user is None
    assert set(Event.objects.values_list("visitor__key", flat=True)) == {visitor}
    answer = shopper.post(
        reverse("catalogue:reviews-add", kwargs={"product_slug": shop["tent"].slug, "product_pk": shop["tent"].pk}),
        {"title": "Dry", "score": 4, "body": "All night", "name": "Guest", "email": "guest@example.com"},
    )
    assert answer.status_code == 302
    review = Event.objects.get(kind="review")
    assert (review.item.external_id, review.rating) == (tent, 4)
    assert import_purchases().purchases == import_reviews().created == 0


def test_an_accounts_order_is_the_accounts(shop, shopper):
    user = User.objects.create_user("anna", "anna@example.com", "secret")
    shopper.force_login(user)
    put_into_basket(shopper, shop["pegs"])
    check_out(shopper)
    assert set(Event.objects.values_list("kind", "visitor__key")) == {
        ("add_to_cart", user_key(user.pk)),
        ("purchase", user_key(user.pk)),
    }


def test_removing_from_the_basket_is_an_event_but_ordering_is_not(shop, shopper):
    put_into_basket(shopper, shop["blue"], 3)
    put_into_basket(shopper, shop["pegs"])
    page = shopper.get(reverse("basket:summary"))
    lines = [form.instance for form in page.context["formset"]]
    data = {"form-TOTAL_FORMS": 2, "form-INITIAL_FORMS": 2}
    for number, line in enumerate(lines):
        data |= {f"form-{number}-id": line.pk, f"form-{number}-quantity": 0 if line.product == shop["blue"] else 1}
        if line.product == shop["blue"]:
            data[f"form-{number}-DELETE"] = "on"
    shopper.post(reverse("basket:summary"), data)
    assert events("remove_from_cart") == [(str(shop["lamp"].pk), 3, None)]
    check_out(shopper)
    assert len(events("remove_from_cart")) == 1


def test_a_cancelled_order_takes_its_purchases_back(shop):
    order = buy(User.objects.create_user("anna"), shop["tent"], shop["pegs"])
    assert len(events("purchase")) == 2
    order.set_status("Cancelled")
    assert events("refund") == [(item, quantity, price) for item, quantity, price in events("purchase")]


def test_refunded_pieces_are_imported(shop):
    basket = create_basket(empty=True)
    basket.add_product(shop["pegs"], 5)
    order = create_order(number="five", basket=basket, user=User.objects.create_user("anna"))
    import_purchases()
    Order.objects.update(date_placed=timezone.now() - timedelta(days=30))
    kind = get_model("order", "PaymentEventType").objects.create(name="Refund")
    for pieces in (1, 2):
        event = order.payment_events.create(event_type=kind, amount=9)
        event.line_quantities.create(line=order.lines.get(), quantity=pieces)
        import_purchases()
    assert [pieces for _, pieces, _ in events("refund")] == [1, 2]


def test_a_cancelled_line_is_refunded_immediately(shop):
    order = buy(User.objects.create_user("anna"), shop["tent"], shop["pegs"])
    line = order.lines.get(product=shop["pegs"])
    line.set_status("Cancelled")
    assert [item for item, *_ in events("refund")] == [str(shop["pegs"].pk)]
    Event.objects.filter(kind="refund").delete()
    Order.objects.update(date_placed=timezone.now() - timedelta(days=30))
    assert import_purchases().refunds == 1


def test_pieces_sent_back_are_refunded(shop):
    order = buy(User.objects.create_user("anna"), shop["pegs"])
    kind = get_model("order", "ShippingEventType").objects.create(name="Returned")
    event = order.shipping_events.create(event_type=kind)
    event.line_quantities.create(line=order.lines.get(), quantity=1)
    import_purchases()
    assert [pieces for _, pieces, _ in events("refund")] == [1]


def test_a_product_deleted_since_keeps_its_place_in_the_order(shop):
    buy(User.objects.create_user("anna"), shop["tent"], shop["pegs"])
    Event.objects.all().delete()
    shop["pegs"].delete()
    assert import_purchases().purchases == 2


def test_a_review_that_waits_for_approval_is_not_imported(shop):
    review = shop["tent"].reviews.create(score=1, title="x", body="y", status=0, name="n", email="n@example.com")
    assert import_reviews().created == 0
    review.status = review.APPROVED
    review.save()
    assert Event.objects.get(kind="review").rating == 1


# -- offers ---------------------------------------------------------------------------------------------------------


def test_a_training_fills_the_blocks_of_product_and_basket_pages(shop, shopper, capsys):
    for number in range(16):
        user = User.objects.create_user(f"u{number}")
        buy(user, shop["tent"], shop["pegs"], shop["blue"]) if number % 4 else buy(user, shop["better"])
        # Tents are in few of the orders.
        for _ in range(2):
            buy(user, shop["better"])
    call_command("ecomrec_train", publish=True, verbosity=0)
    call_command("ecomrec_doctor")
    output = capsys.readouterr().out
    assert "0 failures" in output
    assert "order_key" not in output
    page = shopper.get(shop["tent"].get_absolute_url()).content.decode()
    together = block_of(page, "bought_with")
    assert "Pegs" in together
    assert "Lamp" in together
    assert "£28.00" in together
    assert "Better tent" in block_of(page, "upgrade_to")

    put_into_basket(shopper, shop["tent"])
    basket = shopper.get(reverse("basket:summary")).content.decode()
    assert "Lamp" in block_of(basket, "bought_with")
    # A variant of what is in the basket is never offered: not this one, nor another.
    put_into_basket(shopper, shop["blue"])
    for address in (reverse("basket:summary"), shop["tent"].get_absolute_url()):
        block = block_of(shopper.get(address).content.decode(), "bought_with")
        assert "Pegs" in block
        assert "Lamp" not in block


def test_a_variants_page_has_its_parents_offers(shop, shopper):
    for number in range(10):
        buy(User.objects.create_user(f"u{number}"), shop["blue"], shop["pegs"])
    run_training(publish=True)
    page = shopper.get(shop["red"].get_absolute_url()).content.decode()
    assert "Pegs" in block_of(page, "bought_with")


def test_without_consent_only_orders_are_imported(shop):
    shopper = Client(HTTP_USER_AGENT=BROWSER)
    shopper.get(shop["tent"].get_absolute_url())
    put_into_basket(shopper, shop["tent"])
    check_out(shopper)
    guest = guest_key(guest_hash(Order.objects.get().guest_email))
    assert list(Event.objects.values_list("kind", "visitor__key")) == [("purchase", guest)]
