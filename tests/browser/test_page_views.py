"""Product pages that the browser fetches before anybody asks for them, or keeps for later."""

import json

import pytest

from ecomrec_django.tracking.consent import CONSENT_COOKIE
from ecomrec_django.tracking.visitors import COOKIE, open_cookie, token_key
from tests.support.processes import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.once]

PRODUCTS = """
from example_shop.models import Product
print(*Product.objects.order_by("-sold").values_list("sku", flat=True)[:2])
"""
VIEWS = """
import json
from ecomrec_django.models import Event
events = Event.objects.filter(visitor__key={key!r}, kind="view_item").order_by("id")
print(json.dumps(list(events.values_list("item__external_id", flat=True))))
"""
# The browser fetches the page when the rule comes into the document, and takes it from there once the link is clicked.
SPECULATE = """
(address) => {
  const rule = document.createElement("script");
  rule.type = "speculationrules";
  rule.textContent = JSON.stringify({ prefetch: [{ urls: [address], eagerness: "immediate" }] });
  document.head.append(rule);
  document.querySelector("h1").insertAdjacentHTML("afterend", `<a href="${address}">Next product</a>`);
}
"""
# The reports stay in the page.
KEEP = """
window.sent = [];
navigator.sendBeacon = (address, body) => {
  body.text().then((text) => window.sent.push(...JSON.parse(text).reports));
  return true;
};
"""
BACK = 'dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }))'


@pytest.fixture
def products(real_shop, address):
    return real_shop.ask(PRODUCTS).split()


@pytest.fixture
def shopper(visit, address, real_shop):
    """The page of somebody who agreed, and a function that returns the products that they have viewed."""
    window = visit(1280)
    window.context.add_cookies([{"name": CONSENT_COOKIE, "value": "yes", "url": address}])

    def views():
        tokens = [cookie["value"] for cookie in window.context.cookies() if cookie["name"] == COOKIE]
        return json.loads(real_shop.ask(VIEWS.format(key=token_key(open_cookie(tokens[0]))))) if tokens else []

    return window.page, views


def test_a_page_that_was_fetched_ahead_counts_once_it_is_seen(shopper, products):
    page, views = shopper
    page.goto(f"/product/{products[0]}/")
    wait_for(lambda: views() == products[:1])
    with page.context.expect_event("request", lambda request: products[1] in request.url) as fetched:
        page.evaluate(SPECULATE, f"/product/{products[1]}/")
    assert fetched.value.all_headers()["sec-purpose"] == "prefetch"
    page.wait_for_timeout(2500)
    assert views() == products[:1]
    page.get_by_role("link", name="Next product").click()
    page.wait_for_url(f"**/product/{products[1]}/")
    assert page.evaluate('performance.getEntriesByType("navigation")[0].deliveryType') == "navigational-prefetch"
    wait_for(lambda: products[1] in views())
    page.wait_for_timeout(2500)
    assert views() == products


def test_a_page_that_the_browser_had_put_aside_is_seen_again(shopper, products):
    page, views = shopper
    page.add_init_script(KEEP)
    page.goto(f"/product/{products[0]}/")
    wait_for(lambda: views() == products[:1])
    # The shop has recorded it already.
    page.wait_for_timeout(2500)
    assert not [report for report in page.evaluate("window.sent") if "view" in report]
    page.evaluate(BACK)
    page.wait_for_function("window.sent.some((report) => report.view)")
