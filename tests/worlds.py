"""Random shops with lists, rules and carts, and what is right in them said in other words."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

from ecomrec_django.catalog.adapter import Catalog
from ecomrec_django.models import Item, Rule
from ecomrec_django.serving import offers as serving
from ecomrec_django.serving import rulebook
from ecomrec_django.serving.page import Page
from ecomrec_django.serving.rulebook import Rulebook
from ecomrec_django.serving.stored import Stored
from ecomrec_django.serving.terms import Facts, Term
from ecomrec_django.serving.variants import Place, Variant
from ecomrec_django.strategies.base import Offer, Reason, Strategy, encode_offers

CATEGORIES = ("", "A", "A > B", "A > B > C", "AB", "D")
NOW = datetime.now(UTC)


class OtherAisles(Strategy):
    name = "bought_with"
    per_aisle = 2

    def make(self, data):
        raise AssertionError("not trained here")

    def violation(self, anchors, offer, price):
        return "same aisle" if any(offer.aisle and offer.aisle == anchor.aisle for anchor in anchors) else None


class WorldCatalog(Catalog):
    """Products are namespaces; what is not in the world is gone."""

    def __init__(self, world):
        self.world = world

    def in_bulk(self, ids, request):
        return {item: self.world.products[item] for item in ids if item in self.world.products}

    def available(self, product, request):
        return product.stock > 0

    def price(self, product, request):
        return product.price

    def stock_level(self, product):
        return product.stock

    def external_id(self, product):
        return product.item

    def cart(self, request):
        return self.world.cart


class World:
    """One shop, its lists, the merchant's word, a page and who asks; all drawn from one seed."""

    def __init__(self, seed):
        draw = self.draw = random.Random(seed)
        items = [str(n) for n in range(draw.choice([1, 2, 5, 12, 30]))]
        self.facts = {
            item: Facts(
                draw.choice(CATEGORIES),
                draw.choice(["x", "Y"]),
                draw.choice([{}, {"season": "summer"}, {"season": "winter"}]),
                draw.choice([None, Decimal(draw.randint(1, 9))]),
                NOW - timedelta(days=draw.choice([1, 60])),
            )
            for item in items
        }
        self.products = {
            item: SimpleNamespace(
                item=item,
                title=item,
                price=draw.choice([None, *[Decimal(draw.randint(1, 20))] * 9]),
                stock=draw.choice([0, 1, 9, 9, 9]),
            )
            for item in items
            if draw.random() < 0.95
        }
        for item, product in self.products.items():
            self.facts[item] = self.facts[item]._replace(price=product.price)
        self.anchors = draw.sample(items, min(len(items), draw.choice([1, 1, 1, 2, 3])))
        self.cart = draw.sample(items, draw.randint(0, min(len(items), 4)))
        self.shown = set(draw.sample(items, draw.randint(0, min(len(items), 3))))
        self.segment = draw.choice([None, 1, 2])
        self.limit = draw.randint(1, 6)
        self.band = draw.choice([None, None, (0.5, 1.5)])
        self.stored = {anchor: self._stored(items) for anchor in self.anchors}
        self.rules = tuple(self._rule(number) for number in range(draw.choice([0, 1, 2, 4, 6])))
        if draw.random() < 0.2:
            self.rules += (
                Term.of(Rule(pk=99, name="never", action="hide", item=Item(external_id=draw.choice(items)))),
            )

    def _stored(self, items):
        draw = self.draw
        some = draw.sample(items, draw.randint(0, len(items)))
        listed = [
            Offer(item, float(len(some) - rank), Reason.TOGETHER, self.aisle(item), (9, 9, 1.0, 1.0, 20.0, 0.0))
            for rank, item in enumerate(some)
        ]
        pins = draw.sample(items, draw.choice([0, 0, 1, min(3, len(items))]))
        blocked = draw.sample(items, draw.choice([0, 0, min(2, len(items))]))
        return Stored(
            1,
            draw.choice([0, 1, 2]),
            encode_offers(listed),
            tuple((item, self.aisle(item), draw.choice([0, 0, 1])) for item in pins),
            tuple((item, draw.choice([0, 0, 2])) for item in blocked),
        )

    def aisle(self, item):
        return CATEGORIES.index(self.facts[item].category)

    def _rule(self, number):
        draw = self.draw

        def either(*values):
            return draw.choice([None] * 4 + list(values))

        rule = Rule(
            pk=number + 1,
            name=f"rule {number}",
            action=draw.choice(["only", "hide", "boost"]),
            factor=draw.choice([0.1, 3.0]),
            strategy=draw.choice(["", "bought_with", "bought_with", "for_you"]),
            slot=draw.choice(["", "", "", "product", "cart"]),
            brand=either("x", "y") or "",
            attribute=either("season", "colour") or "",
            value=either("summer") or "",
            lowest_price=either(Decimal(5)),
            highest_price=either(Decimal(12)),
            lowest_margin=either(0.3),
            highest_stock=either(1),
            new_days=either(30),
            starts=either(NOW - timedelta(days=1), NOW + timedelta(days=1)),
            ends=either(NOW + timedelta(days=1), NOW - timedelta(days=1)),
            segment_id=either(1),
        )
        term = Term.of(rule)
        object.__setattr__(term, "category", either(*CATEGORIES[1:]) or "")
        object.__setattr__(term, "beside", either(*CATEGORIES[1:]) or "")
        object.__setattr__(term, "item", either(draw.choice(list(self.facts))) or "")
        return term

    def page(self, rules):
        page = Page(WorldCatalog(self), SimpleNamespace(), shown=set(self.shown))
        page.__dict__.update(rulebook=Rulebook.of(rules), customer=SimpleNamespace(segment=self.segment, ignored={}))
        return page

    def examine(self, rules):
        place = Place("product", "", Variant((), band=self.band))
        return serving.examine(self.page(rules), "bought_with", self.anchors, self.limit, place=place)

    # -- what is right, said once more in other words ------------------------------------------------------------------

    def in_force(self, rule):
        beside = [self.facts[anchor].category for anchor in self.anchors]
        return (
            rule.strategy in ("", "bought_with")
            and rule.slot in ("", "product")
            and (not rule.segment or rule.segment == self.segment)
            and (rule.starts is None or rule.starts < NOW)
            and (rule.ends is None or rule.ends > NOW)
            and (not rule.beside or any((path + " > ").startswith(rule.beside + " > ") for path in beside))
        )

    def fits(self, rule, item):
        if rule.item and rule.item != item:
            return False
        facts, product = self.facts[item], self.products[item]
        if rule.category and not (facts.category + " > ").startswith(rule.category + " > "):
            return False
        if rule.brand and facts.brand.lower() != rule.brand:
            return False
        if rule.attribute and (
            rule.attribute not in facts.attributes or rule.value not in ("", facts.attributes[rule.attribute])
        ):
            return False
        if rule.new_days and facts.since < NOW - timedelta(days=rule.new_days):
            return False
        price = product.price
        if rule.price[0] is not None and (price is None or price < rule.price[0]):
            return False
        if rule.price[1] is not None and (price is None or price > rule.price[1]):
            return False
        left = None if price is None or facts.cost is None else float((price - facts.cost) / price)
        if rule.margin[0] is not None and (left is None or left < rule.margin[0]):
            return False
        return rule.stock[1] is None or product.stock <= rule.stock[1]

    def pins(self):
        found = (pin for anchor in self.anchors for pin in self.stored[anchor].pins)
        return list(dict.fromkeys(item for item, _, segment in found if segment in (0, self.segment)))

    def blocked(self):
        found = (one for anchor in self.anchors for one in self.stored[anchor].blocked)
        return {item for item, segment in found if segment in (0, self.segment)}

    def check(self, found):
        kept = [one.offer.item for one in found.kept]
        rules = [rule for rule in self.rules if self.in_force(rule)]
        only = [rule for rule in rules if rule.action == "only"]
        assert len(kept) == len(set(kept)) <= self.limit
        pins = self.pins()
        assert [item for item in kept if item in pins] == [item for item in pins if item in kept]
        assert kept[: len(set(kept) & set(pins))] == [item for item in pins if item in kept]
        for one in found.kept:
            item, product = one.offer.item, self.products[one.offer.item]
            assert item not in self.anchors
            assert item not in self.cart
            assert item not in self.shown
            assert item not in self.blocked()
            assert product.stock > 0
            assert product.price is not None
            assert not any(self.fits(rule, item) for rule in rules if rule.action == "hide")
            assert not only or any(self.fits(rule, item) for rule in only)
            if item not in pins and self.band:
                for anchor in self._beside(item):
                    price = self.products[anchor].price
                    assert self.band[0] * float(price) <= float(product.price) <= self.band[1] * float(price)
        if len(self.anchors) > 1:
            aisles = [self.aisle(item) for item in kept if item not in pins and self.aisle(item)]
            assert all(aisles.count(aisle) <= 2 for aisle in aisles)

    def _beside(self, item):
        if len(self.anchors) == 1:
            return self.anchors
        return [anchor for anchor in self.anchors if f'"{item}"' in self.stored[anchor].offers]


def live_in(world, monkeypatch):
    """Let offers be made of this world, without a database."""
    monkeypatch.setattr(serving, "strategy_named", lambda name: OtherAisles())
    monkeypatch.setattr(serving, "stored_for", lambda strategy, ids, general=False: (dict(world.stored), False))
    monkeypatch.setattr(rulebook, "facts_of", lambda items, **more: {item: world.facts[item] for item in items})
