"""Product pages that the browser fetches before anybody asks for them, or keeps for later."""

import json

import pytest

from ecomrec_django.tracking.visitors import COOKIE, open_cookie, token_key
from tests.support.processes import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.once]

PRODUCTS = """
from example_shop.models import Product
print(*Product.objects.order_by("-sold").values_list("sku", flat=True)[:3])
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
BACK = 'dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }))'


@pytest.fixture
def products(real_shop, address):
    return real_shop.ask(PRODUCTS).split()


@pytest.fixture
def visitor(shopper, real_shop):
    """The window of somebody who agreed, and a function that returns the products that they have viewed."""
    window = shopper()

    def views():
        tokens = [cookie["value"] for cookie in window.context.cookies() if cookie["name"] == COOKIE]
        return json.loads(real_shop.ask(VIEWS.format(key=token_key(open_cookie(tokens[0]))))) if tokens else []

    return window, views


def test_a_page_that_was_fetched_ahead_counts_once_it_is_seen(visitor, products):
    window, views = visitor
    page = window.page
    first, second, third = products
    page.goto(f"/product/{first}/")
    wait_for(lambda: views() == [first])
    with page.context.expect_event("requestfinished", lambda request: second in request.url) as fetched:
        page.evaluate(SPECULATE, f"/product/{second}/")
    assert fetched.value.all_headers()["sec-purpose"] == "prefetch"
    window.pass_time(3500)
    # What comes after it is recorded after it.
    other = page.context.new_page()
    other.goto(f"/product/{third}/")
    wait_for(lambda: third in views())
    assert views() == [first, third]
    page.get_by_role("link", name="Next product").click()
    page.wait_for_url(f"**/product/{second}/")
    assert page.evaluate('performance.getEntriesByType("navigation")[0].deliveryType') == "navigational-prefetch"
    window.pass_time(3500)
    wait_for(lambda: second in views())
    assert views() == [first, third, second]
    assert len(window.said("view")) == 1


def test_a_page_that_the_browser_had_put_aside_is_seen_again(visitor, products):
    window, views = visitor
    window.page.goto(f"/product/{products[0]}/")
    wait_for(lambda: views() == products[:1])
    # The shop has recorded it already.
    window.pass_time(3500)
    assert not window.said("view")
    window.page.evaluate(BACK)
    window.pass_time(3500)
    assert window.said("view")
