"""A merchant's day: a bad release is refused, a good one reviewed by keyboard and mouse, published, and rolled back."""

import json

import pytest

from .conftest import ask_for_no_icon

pytestmark = pytest.mark.browser

PLANT = """
from django.contrib.auth.models import Group, User
from django.core.management import call_command
call_command("ecomrec_roles", verbosity=0)
staff = User.objects.create_user("merchant", password="merchant", is_staff=True)
staff.groups.add(Group.objects.get(name="Recommendations: publisher"))
"""
# Somebody mixes the product numbers of all orders up, and puts them right again.
MIX_UP = """
import json
from pathlib import Path
from ecomrec_django.models import Event
from tests.support.staple_shop import shuffle_purchases
Path({file!r}).write_text(json.dumps(list(Event.objects.values_list("pk", "item_id"))))
shuffle_purchases()
"""
PUT_RIGHT = """
import json
from pathlib import Path
from ecomrec_django.models import Event
from ecomrec_django.history.export import mark_stale
mark_stale(Event.objects.all())
right = dict(json.loads(Path({file!r}).read_text()))
Event.objects.bulk_update([Event(pk=pk, item_id=item) for pk, item in right.items()], ["item"], batch_size=500)
"""
RELEASES = """
import json
from ecomrec_django.models import Publication, Release
published = Publication.objects.get().release_id
rows = [[one.pk, "\\n".join(each.reasons for each in one.held_back)] for one in Release.objects.order_by("pk")]
print(json.dumps([published, rows]))
"""
# The stored list of a release beside a product: what shoppers would see without a merchant.
LISTED = """
import json
from ecomrec_django.models import OfferList
from ecomrec_django.strategies.base import decode_offers
row = OfferList.objects.get(release={release}, strategy="bought_with", anchor__external_id={sku!r})
print(json.dumps([offer.item for offer in decode_offers(row.proposed or row.offers)]))
"""
# The list of a release that stands first in its queue beside a product, and this product.
FIRST = """
import json
from ecomrec_django.models import OfferList
from ecomrec_django.strategies.base import decode_offers, encode_offers
lists = OfferList.objects.filter(release={release}, strategy="bought_with", anchor__isnull=False).order_by("pk")
row = max(lists, key=lambda row: len(decode_offers(row.offers)))
# Few pairs of this small shop are more than chance; what goes with other products makes the list long enough to sort.
offers = decode_offers(row.offers)
aisles = [offer.aisle for offer in offers] + [row.anchor.category.aisle_id]
for other in lists:
    for offer in decode_offers(other.offers):
        if len(offers) < 9 and offer.aisle != aisles[-1] and offer.item not in [one.item for one in offers]:
            offers.append(offer._replace(score=offers[-1].score / 2))
row.offers = encode_offers(offers)
row.save()
print(json.dumps([row.pk, row.anchor.external_id]))
"""


@pytest.fixture(scope="module")
def shop(market):
    market.ask(PLANT)
    return market


def shown(page, sku):
    """The products beside a product in the shop, as anybody sees them."""
    page.goto(f"/product/{sku}/")
    links = page.locator(".ecomrec-bought_with .ecomrec-offer a[href]").all()
    return list(dict.fromkeys(link.get_attribute("href").strip("/").split("/")[-1] for link in links))


def log_in(window, path):
    ask_for_no_icon(window)
    window.page.goto(f"/admin/login/?next={path}")
    window.page.locator("#id_username").fill("merchant")
    window.page.locator("#id_password").fill("merchant")
    window.page.locator("[type=submit]").click()
    window.page.wait_for_url(f"**{path}")


def order_after(page, act):
    """The offers of the list in their order, once the page is back."""
    with page.expect_navigation():
        act()
    page.locator(".messagelist").wait_for()
    return [one.get_attribute("data-item") for one in page.locator("[data-item]").all()]


def test_a_merchant_reads_why_reviews_publishes_and_rolls_back(shop, visit_market):
    mixed = str(shop.folder / "right.json")
    shop.ask(MIX_UP.format(file=mixed))
    shop.manage("ecomrec_train", "--publish")
    shop.ask(PUT_RIGHT.format(file=mixed))
    first, [*_, (worse, refused)] = json.loads(shop.ask(RELEASES))
    assert worse > first
    assert refused

    room, anybody = visit_market(1280, height=2600), visit_market(1280)
    page = room.page
    log_in(room, "/admin/ecomrec/release/overview/")
    # The overview says that there is something to read, and the release's page says why.
    assert f"Release {worse} holds back" in page.locator("#content").inner_text()
    room.check("overview-refused")
    page.goto(f"/admin/ecomrec/release/{worse}/change/")
    warning = page.locator(".ecomrec-warning").inner_text()
    assert refused.split("\n")[0][:40] in warning
    assert page.get_by_role("link", name="Publish", exact=True).count() == 0
    room.check("release-refused")

    shop.manage("ecomrec_train")
    _, [*_, (better, refused)] = json.loads(shop.ask(RELEASES))
    assert not refused
    pk, sku = json.loads(shop.ask(FIRST.format(release=better)))
    listed = json.loads(shop.ask(LISTED.format(release=better, sku=sku)))
    former = json.loads(shop.ask(LISTED.format(release=first, sku=sku)))
    assert shown(anybody.page, sku) == former[:4]

    page.goto("/admin/ecomrec/reviewlist/")
    room.check("queue")
    page.goto(f"/admin/ecomrec/offerlist/{pk}/change/")
    room.check("list")

    def card(place):
        return page.locator(f'[data-item="{listed[place]}"]')

    def press(place, key):
        card(place).focus()
        return order_after(page, lambda: page.keyboard.press(key))

    # The third and the fifth are pinned by keyboard, and the fifth is moved up before the third.
    press(2, "p")
    assert press(4, "p")[:2] == [listed[2], listed[4]]
    assert press(4, "Alt+ArrowUp")[:2] == [listed[4], listed[2]]
    # The eighth is dragged before both, and the first is blocked, for a reason.
    pins = [listed[7], listed[4], listed[2]]
    assert order_after(page, lambda: card(7).drag_to(card(4)))[:3] == pins
    page.get_by_label("Reason (saved with your decision)").fill("sells by itself")
    order_after(page, lambda: card(0).get_by_role("button", name="Block").click())
    decisions = page.locator("section", has=page.locator("#ecomrec-decisions"))
    assert "sells by itself" in decisions.inner_text()
    # A block of the second was a slip of the finger: it is undone.
    press(1, "b")
    order_after(page, lambda: decisions.get_by_role("button").first.click())
    assert "Decision undone" in page.locator(".messagelist").inner_text()
    room.check("list-reviewed")

    expected = [*pins, *(item for item in listed if item not in {*pins, listed[0]})]
    page.goto(f"/admin/ecomrec/release/{better}/change/")
    room.check("release")
    page.get_by_role("link", name="Publish", exact=True).click()
    page.get_by_role("button", name="Publish").click()
    page.wait_for_load_state()
    assert shown(anybody.page, sku) == expected[:4]

    page.goto(f"/admin/ecomrec/release/{better}/change/")
    page.get_by_role("link", name="Roll back").click()
    page.get_by_role("button", name="Roll back").click()
    page.wait_for_load_state()
    # The former list again, under the merchant's word, which outlives releases.
    again = [*pins, *(item for item in former if item not in {*pins, listed[0]})]
    assert shown(anybody.page, sku) == again[:4]
