"""What a real browser reports of our offers, and what becomes of it in the shop's database."""

import json
import re
from urllib.request import urlopen

import pytest

from ecomrec_django.tracking.consent import CONSENT_COOKIE
from ecomrec_django.tracking.visitors import COOKIE, open_cookie, token_key
from tests.support.processes import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.once]

# Two products whose pages show offers, each with its token, and the number of the release.
PRODUCTS = """
import json
from django.http import HttpRequest
from ecomrec_django.models import Publication
from ecomrec_django.serving.offers import offers
from ecomrec_django.serving.tokens import seal_item
from example_shop.models import Product
found = []
for product in Product.objects.filter(stock__gt=5).order_by("-sold"):
    if all(len(offers(HttpRequest(), strategy, [product]).offers) > 1 for strategy in ("bought_with", "upgrade_to")):
        found.append([product.sku, product.get_absolute_url(), seal_item(product.sku)])
        if len(found) == 2:
            break
print(json.dumps([Publication.objects.get().release_id, *found]))
"""
RECORDED = """
import json
from ecomrec_django.models import Event, Impression
events = Event.objects.filter(visitor__key={visitor!r}).order_by("id")
seen = Impression.objects.filter(visitor__key={visitor!r}).order_by("id")
where = ("strategy", "release", "anchor__external_id", "position", "item__external_id", "clicked")
print(json.dumps({{
    "events": list(events.values_list("kind", "item__external_id")),
    "seen": [[*shown, clicked is not None] for *shown, clicked in seen.values_list(*where)],
}}))
"""
COUNTS = """
from ecomrec_django.models import Event, Impression, Visitor
print(Event.objects.exclude(kind="purchase").count(), Impression.objects.count(), Visitor.objects.count())
"""


@pytest.fixture(scope="module")
def known(real_shop, address):
    return json.loads(real_shop.ask(PRODUCTS))


@pytest.fixture(scope="module")
def release(known):
    return known[0]


@pytest.fixture(scope="module")
def product(known):
    """(sku, address, token) of a product whose page shows offers."""
    return known[1]


@pytest.fixture(scope="module")
def other(known):
    return known[2]


def recorded(real_shop, window):
    """What the shop knows of the owner of a window."""
    token = next(cookie["value"] for cookie in window.context.cookies() if cookie["name"] == COOKIE)
    return json.loads(real_shop.ask(RECORDED.format(visitor=token_key(open_cookie(token)))))


def recorded_once(real_shop, window, true):
    """What the shop knows of the owner of a window, once that is ``true``; it is written after the answer."""
    wait_for(lambda: true(recorded(real_shop, window)))
    return recorded(real_shop, window)


def show(page, part):
    """Scroll until just so much (0 to 1) of the first offer is above the lower edge of the window."""
    page.evaluate(
        """part => {
            const box = document.querySelector("[data-ecomrec-offer]").getBoundingClientRect();
            scrollTo({ top: scrollY + box.top + part * box.height - innerHeight, behavior: "instant" });
        }""",
        part,
    )


def test_an_offer_is_seen_when_half_of_it_was_in_view_for_a_second(shopper, product, release, real_shop):
    window = shopper(height=420)
    page = window.page
    page.goto(product[1])
    # The banner of others would cover the edge; this shopper has answered.
    assert not page.locator(".consent").count()
    show(page, 0.4)
    window.pass_time(1500)
    show(page, 0.7)
    window.pass_time(500)
    show(page, 0)
    window.pass_time(3500)
    assert window.said("seen") == []

    in_view = page.locator("[data-ecomrec-block] >> nth=0").locator("[data-ecomrec-offer]").count()
    show(page, 0.7)
    window.pass_time(1300)
    show(page, 0)
    window.pass_time(2500)
    assert [sorted(places) for places in window.said("seen")] == [list(range(1, in_view + 1))]
    show(page, 0.7)
    window.pass_time(3500)
    assert len(window.said("seen")) == 1

    seen = recorded_once(real_shop, window, lambda known: known["seen"])["seen"]
    shown = page.locator("[data-ecomrec-block] >> nth=0").locator("[data-ecomrec-offer] a.ecomrec-link").all()
    skus = [link.get_attribute("href").removeprefix("/product/").strip("/") for link in shown]
    assert sorted(seen, key=lambda row: row[3]) == [
        ["upgrade_to", release, product[0], place, sku, False] for place, sku in enumerate(skus, 1)
    ]


@pytest.mark.parametrize("what", ["a.ecomrec-link", "button"], ids=["link", "button"])
def test_a_click_is_tied_to_its_release_and_place(shopper, product, release, real_shop, what):
    window = shopper()
    page = window.page
    page.goto(product[1])
    offer = page.locator(".ecomrec-bought_with [data-ecomrec-offer='2']")
    sku = offer.locator("a.ecomrec-link").get_attribute("href").removeprefix("/product/").strip("/")
    with page.expect_navigation():
        offer.locator(what).click()
    known = recorded_once(real_shop, window, lambda known: ["select_item", sku] in known["events"])
    assert ["bought_with", release, product[0], 2, sku, True] in known["seen"]
    assert ["select_item", sku] in known["events"]
    assert ["view_item", product[0]] in known["events"]


def test_a_cached_page_reports_its_view_and_gets_the_cookie(shopper, product, address, real_shop):
    html = urlopen(address + product[1]).read().decode()
    # As from {% ecomrec_scripts view=product %}: the shop does not see who takes the page out of a cache.
    html = html.replace(" data-recorded", "")
    window = shopper()
    window.page.route("**/cached/", lambda route: route.fulfill(body=html, content_type="text/html"))
    window.page.goto("/cached/")
    assert COOKIE not in [cookie["name"] for cookie in window.context.cookies()]
    with window.page.expect_response("**/beacon/") as answer:
        window.pass_time(2000)
    assert answer.value.status == 204
    known = recorded_once(real_shop, window, lambda known: known["events"])
    assert known["events"] == [["view_item", product[0]]]
    window.page.goto("/cached/")
    with window.page.expect_response("**/beacon/"):
        window.pass_time(2000)
    assert len(window.said("view")) == 2
    assert recorded(real_shop, window)["events"] == [["view_item", product[0]]]


def test_whoever_leaves_early_has_still_seen_the_offers(shopper, product, real_shop):
    window = shopper(height=2000)
    window.page.goto(product[1])
    window.pass_time(1500)
    assert window.reports == []
    window.page.goto("/")

    def strategies(known):
        return {row[0] for row in known["seen"] if row[2] == product[0]}

    known = recorded_once(real_shop, window, lambda known: len(strategies(known)) > 1)
    assert strategies(known) == {"upgrade_to", "bought_with"}


def test_a_blocked_beacon_falls_back_to_a_request(shopper, product, real_shop):
    window = shopper(height=2000)
    window.page.add_init_script("navigator.sendBeacon = () => false")
    window.page.goto(product[1])
    with window.page.expect_response("**/beacon/") as answer:
        window.pass_time(3500)
    assert answer.value.status == 204
    assert recorded_once(real_shop, window, lambda known: known["seen"])


def test_a_page_rendered_ahead_reports_nothing_until_somebody_looks(shopper, product):
    window = shopper(height=2000)
    window.page.add_init_script("Object.defineProperty(document, 'prerendering', {value: true})")
    window.page.goto(product[1])
    window.pass_time(3500)
    assert window.reports == []
    window.page.evaluate("document.dispatchEvent(new Event('prerenderingchange'))")
    window.pass_time(3500)
    assert window.said("seen")


def test_swapped_blocks_are_observed_and_released(shopper, product, other, real_shop):
    window = shopper(height=2000)
    page = window.page
    page.goto(product[1])
    page.wait_for_selector("[data-ecomrec-block]")
    page.evaluate(
        """async ([address, token]) => {
            const text = await (await fetch(address)).text();
            const swapped = new DOMParser().parseFromString(text, "text/html").querySelector("main");
            swapped.setAttribute("data-ecomrec-view", token);
            document.querySelector("main").outerHTML = swapped.outerHTML;
        }""",
        other[1:],
    )
    window.pass_time(4500)
    assert window.said("view") == [other[2]]
    known = recorded_once(real_shop, window, lambda known: known["seen"] and ["view_item", other[0]] in known["events"])
    assert {row[2] for row in known["seen"]} == {other[0]}


def test_a_script_that_a_swap_runs_again_reports_nothing_twice(shopper, product, other):
    window = shopper(height=2000)
    page = window.page
    page.goto(product[1])
    page.evaluate(
        """token => new Promise(done => {
            const again = document.createElement("script");
            const old = document.querySelector("script[data-url]");
            again.src = old.src;
            again.dataset.url = old.dataset.url;
            again.dataset.view = token;
            again.onload = done;
            document.body.append(again);
        })""",
        other[2],
    )
    window.pass_time(4500)
    assert window.said("view") == [other[2]]
    assert len(window.said("seen")) == page.locator("[data-ecomrec-block]").count()


@pytest.mark.parametrize(
    "who",
    [{"agreed": False}, {"extra_http_headers": {"Sec-GPC": "1"}}, {"extra_http_headers": {"DNT": "1"}}],
    ids=["no consent", "global privacy control", "do not track"],
)
def test_whoever_does_not_agree_is_not_recorded(shopper, product, real_shop, who):
    before = real_shop.ask(COUNTS)
    window = shopper(height=2000, **who)
    window.page.goto(product[1])
    window.pass_time(3500)
    window.page.locator(".ecomrec-bought_with a.ecomrec-link").first.click()
    window.page.wait_for_load_state("networkidle")
    assert window.said("seen")
    assert COOKIE not in [cookie["name"] for cookie in window.context.cookies()]
    assert real_shop.ask(COUNTS) == before


def test_a_browser_that_asks_scripts_for_privacy_sends_nothing(shopper, product):
    window = shopper(height=2000)
    window.page.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})")
    window.page.goto(product[1])
    window.pass_time(3500)
    assert window.reports == []


@pytest.mark.parametrize("width", [1280, 390])
def test_the_choice_can_be_made_and_changed_without_javascript(visit, product, width):
    window = visit(width, java_script_enabled=False)
    page = window.page
    page.goto(product[1])
    banner = page.get_by_role("region", name="May we learn from your visit?")
    banner.get_by_role("button", name="Yes, you may").click()
    page.wait_for_url(f"**{product[1]}")
    assert not banner.count()
    page.get_by_role("contentinfo").get_by_role("link", name="Privacy").click()
    page.get_by_role("button", name="Withdraw consent").click()
    page.get_by_role("button", name="I agree").wait_for()
    assert {cookie["name"]: cookie["value"] for cookie in window.context.cookies()}[CONSENT_COOKIE] == "no"


def test_privacy_signals_suppress_the_consent_banner(shopper):
    window = shopper(agreed=False, extra_http_headers={"Sec-GPC": "1"})
    window.page.goto("/")
    assert not window.page.locator(".consent").count()
    window.page.goto("/privacy/")
    window.check("privacy")


def test_every_page_works_under_a_policy_that_allows_nothing_inline(shopper, product):
    window = shopper(height=2000, agreed=False)
    policy = {"Content-Security-Policy": "default-src 'self'"}

    def guarded(route):
        answer = route.fetch(max_redirects=0)
        route.fulfill(response=answer, headers={**answer.headers, **policy})

    window.page.route(re.compile(r"/(\?.*)?$"), guarded)
    for path in ("/", product[1], "/search/?q=a", "/cart/", "/account/login/", "/privacy/"):
        window.page.goto(path)
    window.page.goto(product[1])
    window.pass_time(3500)
    assert window.reports
