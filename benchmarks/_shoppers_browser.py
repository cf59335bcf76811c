"""A shopper's browser: the whole shop by `django.test.Client`, and what the script of the pages would report."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from django.http import HttpRequest
from django.test import Client
from django.urls import reverse

from ._shoppers_past import PASSWORD, product_of, sku_of, user_of
from ._shoppers_world import Block, Visit, World, answer

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
# As the shop's templates write them.
BLOCK = re.compile(
    r'<section class="ecomrec-block ecomrec-(?P<strategy>\w+)"[^>]* data-ecomrec-block="(?P<token>[^"]+)">'
    r"(?P<offers>.*?)</section>",
    re.DOTALL,
)
OFFER = re.compile(r'data-ecomrec-offer="(?P<place>\d+)">.*?href="/product/(?P<sku>[^"]+)/"', re.DOTALL)
TOTAL = re.compile(r'name="total" value="(?P<total>[\d.]+)"')


@dataclass(frozen=True)
class Page:
    """A product page: the request that it answers, its blocks in their order, and the token of each."""

    request: HttpRequest
    tokens: list[str]
    blocks: list[Block]


class Browser:
    """One shopper's, with its cookies; ``pages`` counts all requests of all browsers."""

    pages = 0

    def __init__(self, shopper: int, member: bool, consenting: bool) -> None:
        address = ".".join(map(str, (10 << 24 | shopper).to_bytes(4, "big")))
        self._client = Client(headers={"User-Agent": AGENT}, REMOTE_ADDR=address)
        self._get(reverse("privacy"))
        self._post(reverse("consent"), {"agree": "yes" if consenting else "no"})
        if member:
            self._post(reverse("login"), {"username": user_of(shopper), "password": PASSWORD})

    @property
    def cookies(self) -> set[str]:
        """Names of those it has."""
        return {name for name, morsel in self._client.cookies.items() if morsel.value}

    def look(self, visit: Visit) -> Page:
        """Open the page that a visit is for."""
        answered = self._get(reverse("product", args=[sku_of(visit.anchor)]))
        tokens, blocks = read(answered.content.decode())
        return Page(answered.wsgi_request, tokens, blocks)

    def act(self, world: World, visit: Visit, page: Page, seed: int) -> None:
        """Let what the page's blocks offer be seen, click, and order."""
        if visit.scrolls:
            self._report(
                {"block": token, "seen": list(range(1, len(block.offers) + 1))}
                for token, block in zip(page.tokens, page.blocks, strict=True)
            )
        taken: list[int] = []
        for number, place, keeps in answer(world, visit, page.blocks, seed):
            offered = page.blocks[number].offers[place]
            # Sent while the browser already asks for the next page.
            self._report([{"block": page.tokens[number], "clicked": place + 1}])
            self._get(reverse("product", args=[sku_of(offered)]))
            if keeps:
                taken.append(offered)
        served = {int(world.category[product]) for product in taken}
        taken += [product for product in visit.plan if int(world.category[product]) not in served]
        if taken:
            self._order(taken)

    def _order(self, products: Iterable[int]) -> None:
        for product in products:
            self._post(reverse("cart-add"), {"sku": sku_of(product)})
        found = TOTAL.search(self._get(reverse("checkout")).content.decode())
        assert found is not None
        guest = {"name": "A shopper", "email": "shopper@example.org", "address": "1 Hill Road"}
        done = self._post(reverse("checkout"), {**guest, "total": found["total"]})
        assert done["Location"].startswith("/order/"), done["Location"]

    def _report(self, reports: Iterable[dict[str, Any]]) -> None:
        if told := list(reports):
            self._post(reverse("ecomrec:beacon"), json.dumps({"reports": told}), content_type="application/json")

    def _get(self, address: str) -> Any:
        Browser.pages += 1
        answered = self._client.get(address)
        assert answered.status_code == 200, (address, answered.status_code)
        return answered

    def _post(self, address: str, data: Any, **options: Any) -> Any:
        Browser.pages += 1
        answered = self._client.post(address, data, **options)
        assert answered.status_code in (204, 302), (address, answered.status_code)
        return answered


def read(page: str) -> tuple[list[str], list[Block]]:
    """The tokens of a page's blocks, and the blocks."""
    tokens, blocks = [], []
    for found in BLOCK.finditer(page):
        offers = [product_of(unquote(offer["sku"])) for offer in OFFER.finditer(found["offers"])]
        tokens.append(found["token"])
        blocks.append(Block(tuple(offers), found["strategy"] == "upgrade_to"))
    return tokens, blocks
