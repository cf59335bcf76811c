import pytest

pytestmark = pytest.mark.browser

# A well-sold product whose page shows both kinds of offers, and its category.
PRODUCT = """
from django.http import HttpRequest
from ecomrec_django.serving.offers import offers
from example_shop.models import Product
for product in Product.objects.filter(category__isnull=False, stock__gt=5).order_by("-sold"):
    if all(offers(HttpRequest(), strategy, [product]) for strategy in ("bought_with", "upgrade_to")):
        print(product.get_absolute_url(), product.category.get_absolute_url())
        break
"""
EVENTS = """
from ecomrec_django.models import Event
lines = Event.objects.filter(kind="purchase", basket={order!r})
print(*sorted(lines.values_list("item__external_id", flat=True)))
"""
HISTORY = """
import pyarrow.dataset
from ecomrec_django.conf import conf
history = pyarrow.dataset.dataset(conf.ARTIFACTS / "history", format="parquet", partitioning="hive")
print(history.to_table(columns=["basket"]).column("basket").to_pylist().count({order!r}))
"""


@pytest.fixture(scope="module")
def anchor(real_shop, address):
    """Addresses of the product and of its category."""
    return real_shop.ask(PRODUCT).split()


def buy_with_an_offer(page, product, category, look):
    """From the first page to the order, whose number and products are returned.

    look: called with the name of each page that is shown.
    """
    page.goto("/")
    look("home")

    department = page.locator('main a[href^="/category/"]').first
    department.click()
    page.wait_for_url("**/category/**")
    look("department")

    page.goto(category)
    look("category")
    page.locator(f'main a[href="{product}"]').first.click()
    page.wait_for_url(f"**{product}")
    assert page.locator(".ecomrec-upgrade_to .ecomrec-offer").count() >= 1
    look("product")
    page.get_by_role("button", name="Add to cart", exact=True).first.click()
    page.wait_for_url("**/cart/")

    page.goto(product)
    block = page.locator(".ecomrec-bought_with")
    offer = block.locator("a[href]").first.get_attribute("href")
    block.get_by_role("button").first.click()
    page.get_by_role("status").wait_for()
    assert offer not in [link.get_attribute("href") for link in block.locator("a[href]").all()]
    page.get_by_role("link", name="Cart").first.click()
    page.wait_for_url("**/cart/")

    lines = page.locator(".line-what > a")
    assert [line.get_attribute("href") for line in lines.all()] == [product, offer]
    cross_sell = [link.get_attribute("href") for link in page.locator(".ecomrec-bought_with a[href]").all()]
    assert cross_sell
    assert not {product, offer} & set(cross_sell)
    look("cart")

    page.get_by_role("link", name="Checkout").click()
    page.get_by_label("Name").fill("A. Shopper")
    page.get_by_label("Email").fill("shopper@example.com")
    page.get_by_label("Address").fill("1 High Street")
    look("checkout")
    page.get_by_role("button", name="Place order").click()
    page.wait_for_url("**/order/*/")
    look("order")

    return page.url.rstrip("/").rsplit("/", 1)[1], [sku(product), sku(offer)]


def sku(address):
    return address.strip("/").split("/")[-1]


@pytest.mark.once
def test_a_shopper_finds_an_offer_and_buys_it_in_a_narrow_window(visit, anchor):
    window = visit(390)

    def look(name):
        window.check(f"{name}-390")
        window.resize(1280)
        window.check(f"{name}-1280")
        window.resize(390)

    buy_with_an_offer(window.page, *anchor, look)


def test_the_shop_learns_of_what_was_bought(market, visit_market):
    order, products = buy_with_an_offer(visit_market(1280).page, *market.ask(PRODUCT).split(), lambda name: None)
    market.manage("ecomrec_train")
    assert market.ask(EVENTS.format(order=order)).split() == sorted(products)
    assert market.ask(HISTORY.format(order=order)) == "2"


@pytest.mark.once
def test_a_link_to_a_cart_shows_what_goes_with_it(visit, anchor):
    product, _ = anchor
    window = visit(1280)
    page = window.page
    page.goto(f"/cart/shared/?sku={sku(product)}")
    assert page.locator(".ecomrec-bought_with .ecomrec-offer").count() >= 1
    window.check("shared cart")
    page.get_by_role("button", name="Add all to my cart").click()
    page.wait_for_url("**/cart/")
    assert page.locator(".line-what > a").first.get_attribute("href") == product
