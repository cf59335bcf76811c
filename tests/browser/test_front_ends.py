"""Front ends that draw the offers themselves, or load them into their pages."""

import json
from urllib.request import urlopen

import pytest

from ecomrec_django.tracking.consent import CONSENT_COOKIE
from ecomrec_django.tracking.visitors import COOKIE, open_cookie, open_token, token_key, user_key
from tests.support.frontend import built_page, installed_packages, static_server
from tests.support.processes import ShopProcess, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.once]

# Two products whose slot shows several offers.
PRODUCTS = """
from django.http import HttpRequest
from ecomrec_django.serving.slots import slot_offers
from example_shop.models import Product
products = Product.objects.filter(stock__gt=5).order_by("-sold")
found = (product.sku for product in products if len(slot_offers(HttpRequest(), "product", [product]).offers) > 2)
print(next(found), next(found))
"""
# The customer with the most orders, who gets a password.
CUSTOMER = """
from django.contrib.auth.models import User
from django.db.models import Count
customer = User.objects.annotate(placed=Count("orders")).order_by("-placed").first()
customer.set_password("secret")
customer.save()
print(customer.pk, customer.username, customer.placed)
"""
RECORDED = """
import json
from ecomrec_django.models import Event, Impression
events = Event.objects.filter(visitor__key={key!r}).exclude(kind="purchase").order_by("id")
seen = Impression.objects.filter(visitor__key={key!r}).order_by("id")
print(json.dumps({{
    "events": list(events.values_list("kind", "item__external_id")),
    "seen": list(seen.values_list("anchor__external_id", "slot", "position")),
}}))
"""
# As a page's own link would be.
LINK = """
(address) => {
  document.querySelector("h1").insertAdjacentHTML("afterend", `<a href="${address}">Next product</a>`);
  window.htmx?.process(document.body);
}
"""


@pytest.fixture(scope="module")
def packages():
    return installed_packages()


@pytest.fixture(scope="module")
def frontend(packages, tmp_path_factory):
    """The origin of the React page."""
    with static_server(built_page(packages, tmp_path_factory.mktemp("react"))) as origin:
        yield origin


@pytest.fixture(scope="module")
def host(real_shop, address, packages, frontend, tmp_path_factory):
    """The trained shop once more, as the API of the front end."""
    shop = ShopProcess(
        tmp_path_factory.mktemp("host"),
        real_shop.environment["DATABASE_URL"],
        SHOP_VAR=str(real_shop.folder),
        DJANGO_SETTINGS_MODULE="tests.hosts.headless.settings",
        FRONTEND=frontend,
        NPM=str(packages),
    )
    with shop.serving() as api:
        yield api


@pytest.fixture(scope="module")
def products(real_shop, address):
    return real_shop.ask(PRODUCTS).split()


def recorded(real_shop, key):
    return json.loads(real_shop.ask(RECORDED.format(key=key)))


def recorded_once(real_shop, window, key, true):
    """What the shop knows of a visitor once that is ``true``, while the time of the window passes."""

    def known():
        window.pass_time(3500)
        return recorded(real_shop, key)

    wait_for(lambda: true(known()))
    return recorded(real_shop, key)


def stored(page, name):
    return page.evaluate("name => localStorage.getItem(name)", name)


def views(known):
    return [item for kind, item in known["events"] if kind == "view_item"]


def test_a_react_shop_on_another_site(visit, frontend, host, products, real_shop):
    window = visit(1280, height=2000)
    window.listen()
    page = window.page
    page.goto(f"{frontend}/?api={host}&item={products[0]}")
    page.locator("li a").first.wait_for()
    window.check("react")
    # Offers of before the choice are seen by then, so that only those of after it count.
    window.pass_time(3500)
    # Nothing is kept, or sent with a token, before the shopper agrees.
    assert (stored(page, "ecomrec.visitor"), window.context.cookies()) == (None, [])

    with page.expect_response("**/api/visitor/"):
        page.get_by_role("button", name="Agree").click()
    wait_for(lambda: stored(page, "ecomrec.visitor"))
    key = token_key(open_token(stored(page, "ecomrec.visitor")))
    cards = page.locator("li")
    known = recorded_once(
        real_shop, window, key, lambda known: known["events"] and len(known["seen"]) == cards.count() > 0
    )
    assert known["events"] == [["view_item", products[0]]]
    assert sorted(known["seen"]) == [[products[0], "product", place] for place in range(1, cards.count() + 1)]

    link = page.locator("li a").nth(1)
    clicked = link.get_attribute("href").strip("/").split("/")[-1]
    link.click()
    known = recorded_once(real_shop, window, key, lambda known: clicked in views(known))
    assert ["select_item", clicked] in known["events"]
    assert views(known) == [products[0], clicked]
    # A page of another site is given no cookies.
    assert window.context.cookies() == []

    pk, name, orders = real_shop.ask(CUSTOMER).split()
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill("secret")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Log out").wait_for()
    mine = user_key(int(pk))
    known = recorded_once(real_shop, window, mine, lambda known: ["select_item", clicked] in known["events"])
    assert {products[0], clicked} <= set(views(known))
    assert recorded(real_shop, key) == {"events": [], "seen": []}

    page.get_by_role("button", name="What do you know about me?").click()
    export = json.loads(page.locator("output").get_attribute("data-export"))
    assert len({row["order"] for row in export["events"] if row["kind"] == "purchase"}) == int(orders)
    assert ["select_item", clicked] in [[row["kind"], row["item"]] for row in export["events"]]
    window.check("react, logged in")

    page.get_by_role("button", name="Log out").click()
    page.get_by_role("button", name="Log in").wait_for()
    wait_for(lambda: stored(page, "ecomrec.visitor"))
    assert token_key(open_token(stored(page, "ecomrec.visitor"))) != key
    page.get_by_role("button", name="What do you know about me?").click()
    page.locator("output").wait_for()
    export = json.loads(page.locator("output").get_attribute("data-export"))
    assert not [row for row in export["events"] if row["kind"] == "purchase"]


def test_who_refuses_in_a_react_shop_sees_offers_and_is_not_recorded(visit, frontend, host, products):
    window = visit(1280, height=2000)
    window.listen()
    page = window.page
    beacons = []
    page.on("request", lambda request: "/beacon/" in request.url and beacons.append(request.url))
    page.goto(f"{frontend}/?api={host}&item={products[0]}")
    with page.expect_response("**/api/consent/"):
        page.get_by_role("button", name="No, thanks").click()
    page.get_by_label("Consent").wait_for(state="detached")
    page.locator("li a").nth(2).wait_for()
    assert (stored(page, "ecomrec.consent"), stored(page, "ecomrec.visitor")) == ("no", None)
    page.get_by_role("button", name="What do you know about me?").click()
    page.get_by_text("0 events, 0 offers seen").wait_for()
    window.pass_time(3500)
    assert not beacons


@pytest.fixture
def visitor(visit, host):
    """A window of somebody who agreed to be recorded, and the key of its owner."""
    window = visit(1280, height=2000)
    window.context.add_cookies([{"name": CONSENT_COOKIE, "value": "yes", "url": host}])
    window.listen()

    def key():
        tokens = [cookie["value"] for cookie in window.context.cookies() if cookie["name"] == COOKIE]
        return token_key(open_cookie(tokens[0])) if tokens else ""

    return window, key


@pytest.mark.parametrize("kind", ["htmx", "turbo", "cached"])
def test_a_block_that_the_browser_loads_is_seen_and_clicked(kind, visitor, host, products, real_shop):
    window, key = visitor
    page = window.page
    page.goto(f"{host}/{kind}/{products[0]}/")
    page.locator("[data-ecomrec-offer]").first.wait_for()
    window.check(kind)
    window.pass_time(3500)
    wait_for(key)
    offers = page.locator("[data-ecomrec-offer]").count()
    known = recorded_once(real_shop, window, key(), lambda known: len(known["seen"]) == offers and known["events"])
    assert known["events"] == [["view_item", products[0]]]
    assert {(anchor, slot) for anchor, slot, _ in known["seen"]} == {(products[0], "product")}

    link = page.locator("[data-ecomrec-offer] a").nth(1)
    clicked = link.get_attribute("href").strip("/").split("/")[-1]
    link.click()
    page.wait_for_url(f"**/product/{clicked}/")
    known = recorded_once(real_shop, window, key(), lambda known: ["select_item", clicked] in known["events"])
    assert views(known) == [products[0]]


@pytest.mark.parametrize("kind", ["htmx", "turbo"])
def test_a_page_that_is_swapped_in_is_a_view_of_its_own_and_counts_once(kind, visitor, host, products, real_shop):
    window, key = visitor
    page = window.page
    page.goto(f"{host}/{kind}/{products[0]}/")
    page.locator("[data-ecomrec-offer]").first.wait_for()
    window.pass_time(3500)
    wait_for(key)
    page.evaluate("window.loaded = true")
    page.evaluate(LINK, f"/{kind}/{products[1]}/")
    page.get_by_role("link", name="Next product").click()
    page.wait_for_url(f"**/{kind}/{products[1]}/")
    recorded_once(real_shop, window, key(), lambda known: products[1] in views(known))
    # The browser has loaded one page, into which the other was swapped.
    assert page.evaluate("window.loaded")
    page.locator("[data-ecomrec-offer]").first.wait_for()
    window.pass_time(3500)
    assert len(window.said("view")) == 2
    assert views(recorded(real_shop, key())) == products


def test_a_cached_page_is_the_same_for_all_and_its_block_is_nobody_elses(visitor, visit, host, products, real_shop):
    address = f"{host}/cached/{products[0]}/"
    with urlopen(address) as first:
        cached = first.read()
        assert "set-cookie" not in first.headers
        assert "Cookie" not in first.headers.get("Vary", "")
    window, key = visitor
    with window.page.expect_response("**/blocks/**") as block:
        answer = window.page.goto(address)
    assert answer.body() == cached
    assert {"private", "no-store"} <= set(block.value.headers["cache-control"].split(", "))
    assert b"data-ecomrec-block" not in cached
    window.pass_time(3500)
    wait_for(key)
    recorded_once(real_shop, window, key(), lambda known: views(known) == [products[0]])
    other = visit(1280)
    assert other.page.goto(address).body() == cached
    other.page.locator("[data-ecomrec-offer]").first.wait_for()
