"""Random shops with lists, rules and carts, and what is right in them in other words; none asks a database."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

from ecomrec_django.catalog.adapter import Catalog
from ecomrec_django.models import Item, Rule
from ecomrec_django.serving.offer_store import StoredList
from ecomrec_django.serving.page import Page
from ecomrec_django.serving.rulebook import Rulebook
from ecomrec_django.serving.rules import CompiledRule, ItemAttributes
from ecomrec_django.serving.selection import Selection, examine
from ecomrec_django.serving.shopper_context import ShopperContext
from ecomrec_django.serving.variants import SlotAssignment, Variant
from ecomrec_django.strategies.base import Offer, Reason, Strategy, encode_offers

# What a test of these shops sets ECOMREC["STRATEGIES"] to.
STRATEGIES = {"bought_with": "tests.support.random_shops.OtherAisles"}
CATEGORIES = ("", "A", "A > B", "A > B > C", "AB", "D")
NOW = datetime.now(UTC)


class OtherAisles(Strategy):
    per_aisle = 2

    def make(self, data):
        raise AssertionError("not trained here")

    def violation(self, anchors, offer, live):
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
    """One shop, its lists and rules, a page and who asks; all drawn from one seed."""

    def __init__(self, seed):
        draw = self.draw = random.Random(seed)
        items = [str(n) for n in range(draw.choice([1, 2, 5, 12, 30]))]
        self.attributes = {
            item: ItemAttributes(
                category=draw.choice(CATEGORIES),
                brand=draw.choice(["x", "Y"]),
                attributes=draw.choice([{}, {"season": "summer"}, {"season": "winter"}]),
                cost=draw.choice([None, Decimal(draw.randint(1, 9))]),
                first_seen=NOW - timedelta(days=draw.choice([1, 60])),
            )
            for item in items
        }
        self.products = {
            item: SimpleNamespace(
                item=item,
                # Some have a namesake, of the same aisle.
                title=f"{CATEGORIES.index(self.attributes[item].category)} {int(item) % 4}",
                price=draw.choice([None, *[Decimal(draw.randint(1, 20))] * 9]),
                stock=draw.choice([0, 1, 9, 9, 9]),
            )
            for item in items
            if draw.random() < 0.95
        }
        for item, product in self.products.items():
            self.attributes[item] = self.attributes[item]._replace(price=product.price)
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
                CompiledRule.of(Rule(pk=99, name="never", action="hide", item=Item(external_id=draw.choice(items)))),
            )

    def _stored(self, items):
        draw = self.draw
        offered = draw.sample(items, draw.randint(0, len(items)))
        listed = [
            Offer(
                item=item,
                score=float(len(offered) - rank),
                reason=Reason.TOGETHER,
                aisle=self.aisle(item),
                evidence=(9, 9, 1.0, 1.0, 20.0, 0.0),
            )
            for rank, item in enumerate(offered)
        ]
        pins = draw.sample(items, draw.choice([0, 0, 1, min(3, len(items))]))
        blocked = draw.sample(items, draw.choice([0, 0, min(2, len(items))]))
        return StoredList(
            release=1,
            aisle=draw.choice([0, 1, 2]),
            encoded_offers=encode_offers(listed),
            pins=tuple((item, self.aisle(item), draw.choice([0, 0, 1])) for item in pins),
            blocked=tuple((item, draw.choice([0, 0, 2])) for item in blocked),
        )

    def aisle(self, item):
        return CATEGORIES.index(self.attributes[item].category)

    def title(self, item):
        return self.products[item].title

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
        return replace(
            CompiledRule.of(rule),
            category=either(*CATEGORIES[1:]) or "",
            anchor_category=either(*CATEGORIES[1:]) or "",
            item=either(draw.choice(list(self.attributes))) or "",
        )

    # -- the shop as serving sees it ----------------------------------------------------------------------------------

    def stored_lists(self, strategy, owners, *, general):
        return dict(self.stored), False

    def item_attributes(self, items, *, attributes=True):
        return {item: self.attributes[item] for item in items}

    @property
    def selection(self):
        return Selection(store=self.stored_lists)

    @property
    def assignment(self):
        return SlotAssignment(slot="product", variant=Variant(band=self.band))

    def page(self, rules):
        page = Page(catalog=WorldCatalog(self), request=SimpleNamespace(), shown=set(self.shown))
        page.rulebook = Rulebook.of(rules, read_attributes=self.item_attributes)
        page.shopper = ShopperContext.stranger(self.segment)
        return page

    def examine(self, rules, limit=None):
        return examine(
            self.page(rules),
            "bought_with",
            self.anchors,
            self.limit if limit is None else limit,
            assignment=self.assignment,
            selection=self.selection,
        )

    # -- what is right, once more in other words -----------------------------------------------------------------------

    def in_force(self, rule):
        paths = [self.attributes[anchor].category for anchor in self.anchors]
        below = f"{rule.anchor_category} > "
        return (
            rule.strategy in ("", "bought_with")
            and rule.slot in ("", "product")
            and (not rule.segment or rule.segment == self.segment)
            and (rule.starts is None or rule.starts < NOW)
            and (rule.ends is None or rule.ends > NOW)
            and (not rule.anchor_category or any(f"{path} > ".startswith(below) for path in paths))
        )

    def matches(self, rule, item):
        if rule.item and rule.item != item:
            return False
        attributes, product = self.attributes[item], self.products[item]
        if rule.category and not (attributes.category + " > ").startswith(rule.category + " > "):
            return False
        if rule.brand and attributes.brand.lower() != rule.brand:
            return False
        if rule.attribute and (
            rule.attribute not in attributes.attributes or rule.value not in ("", attributes.attributes[rule.attribute])
        ):
            return False
        if rule.new_days and attributes.first_seen < NOW - timedelta(days=rule.new_days):
            return False
        price = product.price
        if rule.price[0] is not None and (price is None or price < rule.price[0]):
            return False
        if rule.price[1] is not None and (price is None or price > rule.price[1]):
            return False
        left = None if price is None or attributes.cost is None else float((price - attributes.cost) / price)
        if rule.margin[0] is not None and (left is None or left < rule.margin[0]):
            return False
        return rule.stock[1] is None or product.stock <= rule.stock[1]

    def pins(self):
        pins = (pin for anchor in self.anchors for pin in self.stored[anchor].pins)
        return list(dict.fromkeys(item for item, _, segment in pins if segment in (0, self.segment)))

    def blocked(self):
        blocked = (each for anchor in self.anchors for each in self.stored[anchor].blocked)
        return {item for item, segment in blocked if segment in (0, self.segment)}

    def check(self, examination):
        """No offer breaks a rule."""
        shown = [each.offer.item for each in examination.eligible]
        rules = [rule for rule in self.rules if self.in_force(rule)]
        only = [rule for rule in rules if rule.action == "only"]
        assert len(shown) == len(set(shown)) <= self.limit
        pins = self.pins()
        assert [item for item in shown if item in pins] == [item for item in pins if item in shown]
        assert shown[: len(set(shown) & set(pins))] == [item for item in pins if item in shown]
        for item in shown:
            product = self.products[item]
            assert item not in self.anchors
            assert item not in self.cart
            assert item not in self.shown
            assert item not in self.blocked()
            assert product.stock > 0
            assert product.price is not None
            assert not any(self.matches(rule, item) for rule in rules if rule.action == "hide")
            assert not only or any(self.matches(rule, item) for rule in only)
            if item not in pins and self.band:
                for anchor in self._beside(item):
                    price = self.products[anchor].price
                    assert self.band[0] * float(price) <= float(product.price) <= self.band[1] * float(price)
        chosen = [item for item in shown if item not in pins]
        aisles = [self.aisle(item) for item in chosen if self.aisle(item)]
        assert all(aisles.count(aisle) <= 2 for aisle in aisles)
        titles = [self.title(item) for item in shown if item in pins]
        for item in chosen:
            assert self.title(item) not in titles
            titles.append(self.title(item))

    def _beside(self, item):
        if len(self.anchors) == 1:
            return self.anchors
        return [anchor for anchor in self.anchors if f'"{item}"' in self.stored[anchor].encoded_offers]
