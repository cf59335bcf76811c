"""The pages of the admin, in each width, colour and direction of writing."""

import json

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.once]

PAGES = {
    "overview": "release/overview/",
    "queue": "reviewlist/?release={release}",
    "list": "offerlist/{list}/change/",
    "release": "release/{release}/change/",
    "schedule": "release/{newest}/schedule/",
    "earnings": "dailyfigure/",
    "rules": "rule/",
    "why": "offerlist/why/?block=slot:product&item={anchor}&other={other}",
    "evidence": "offerlist/{list}/evidence/?offer={offer}",
    "decisions": "decision/",
}
FOUND = """
import json
from ecomrec_django.models import Item, OfferList, Publication, Release
from ecomrec_django.strategies.base import decode_offers
row = OfferList.objects.filter(
    release=Publication.objects.get().release_id, strategy="bought_with", anchor__isnull=False
).first()
offer = decode_offers(row.offers)[0].item
other = Item.objects.exclude(pk=row.anchor_id).exclude(external_id=offer).last()
found = {"list": row.pk, "anchor": row.anchor_id, "offer": offer, "other": other.pk, "release": row.release_id}
found["newest"] = Release.objects.exclude(verdicts__outcome="held").latest("pk").pk
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def addresses(real_shop, address):
    known = json.loads(real_shop.ask(FOUND))
    return {name: f"/admin/ecomrec/{path.format(**known)}" for name, path in PAGES.items()}


@pytest.mark.parametrize("locale", ["en", "ar", "zh-CN"])
def test_every_page_is_sound_wide_narrow_dark_and_from_right_to_left(addresses, enter, locale):
    room = enter(1280, locale=locale)
    page = room.page
    for name, path in addresses.items():
        page.goto(path)
        assert page.locator("html").get_attribute("dir") == ("rtl" if locale == "ar" else "ltr")
        room.check(f"{name}-1280-{locale}")
        if locale == "en":
            room.resize(390)
            room.check(f"{name}-390")
            room.resize(1280)
            page.emulate_media(color_scheme="dark")
            room.check(f"{name}-1280-dark", rules=["color-contrast"])
            page.emulate_media(color_scheme="light")
