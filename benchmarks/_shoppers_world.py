"""The planted truth of `benchmarks.shoppers`: a shop's products, and shoppers who answer offers by its click model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Of each category: what a usual product costs, and after how many days it is used up (0: it lasts). Each second one is
# bought beside the one before it.
CATEGORIES = {
    "Coffee": (8.0, 14),
    "Mugs": (9.0, 0),
    "Pasta": (4.0, 10),
    "Sauces": (5.0, 12),
    "Shampoo": (7.0, 28),
    "Towels": (14.0, 0),
    "Cat food": (12.0, 10),
    "Cat toys": (8.0, 0),
    "Paint": (22.0, 60),
    "Brushes": (10.0, 0),
    "Tents": (40.0, 0),
    "Lamps": (18.0, 0),
}
BRANDS = ("Alder", "Birch", "Cedar", "Dogwood")
STYLES = ("classic", "modern")
# What the sizes of one product cost, the usual one being the middle one.
TIERS = {"Basic": 0.75, "Plus": 1.0, "Premium": 1.3}
BRAND_SPREAD, STYLE_SPREAD, SENSITIVITY, SENSITIVITY_SPREAD = 1.0, 0.6, 2.0, 0.5
# What a more expensive product is worth to everybody: who is less sensitive to prices takes it.
QUALITY = 2.0
# How well an offer goes with a product: its complement in another style (in its own: 1), of one category, any other.
OTHER_STYLE, SUBSTITUTE, APART = 0.4, 0.3, 0.25
# What lasts, once it is there.
OWNED = 0.05
# Chance that offers are scrolled to; power of the rank with which examination falls; of clicks; of buying after one.
SCROLLS, FALL, PULL, PULL_UP, KEEPS = 0.8, 0.7, 2.5, 0.6, 0.4


@dataclass(frozen=True)
class Block:
    """Offers as a page shows them: numbers of products, the first place first. ``upgrades``: pricier answers to the
    need of the page's product, which take its place."""

    offers: Sequence[int]
    upgrades: bool = False


@dataclass(frozen=True)
class World:
    """Products: ``category``, ``brand``, ``style``, ``tier`` and ``price``, shape (products,) each. Shoppers: ``taste``
    for categories, shape (shoppers, categories), at most 1; ``liking`` of brands and styles, shape (shoppers, brands,
    styles), at most 1; ``sensitivity`` to prices, shape (shoppers,)."""

    category: np.ndarray
    brand: np.ndarray
    style: np.ndarray
    tier: np.ndarray
    price: np.ndarray
    taste: np.ndarray
    liking: np.ndarray
    sensitivity: np.ndarray
    usual: np.ndarray
    cycle: np.ndarray

    @classmethod
    def drawn(cls, shoppers: int, rng: np.random.Generator) -> World:
        usual, cycle = (np.array(column, float) for column in zip(*CATEGORIES.values(), strict=True))
        sizes = (len(CATEGORIES), len(BRANDS), len(STYLES), len(TIERS))
        category, brand, style, tier = (axis.ravel() for axis in np.indices(sizes))
        price = usual[category] * np.array(list(TIERS.values()))[tier] * rng.uniform(0.95, 1.05, len(tier))
        taste = rng.gamma(0.6, 1.0, (shoppers, len(CATEGORIES)))
        brands = rng.normal(0, BRAND_SPREAD, (shoppers, len(BRANDS), 1))
        styles = rng.normal(0, STYLE_SPREAD, (shoppers, 1, len(STYLES)))
        liking = np.exp(brands - brands.max(axis=1, keepdims=True) + styles - styles.max(axis=2, keepdims=True))
        return cls(
            category,
            brand,
            style,
            tier,
            price.round(2),
            taste / taste.max(axis=1, keepdims=True),
            liking,
            SENSITIVITY * np.exp(rng.normal(0, SENSITIVITY_SPREAD, shoppers)),
            usual,
            cycle,
        )

    def due(self, since: np.ndarray) -> np.ndarray:
        """How much each category is needed, shape (categories,), so many days ``since`` it was had, infinite: never."""
        spent = np.minimum(since / np.maximum(self.cycle, 1), 1.0)
        return np.where(self.cycle > 0, spent, np.where(np.isinf(since), 1.0, OWNED))

    def likes(self, shopper: int) -> np.ndarray:
        """Of all products, shape (products,)."""
        return self.liking[shopper, self.brand, self.style]

    def choices(self, shopper: int, category: int, beside: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The products of a category and the chance that a shopper who needs one takes it, shape (its products,) both;
        ``beside``: a product that it has to go with."""
        products = np.flatnonzero(self.category == category)
        worth = self.likes(shopper)[products] * (self.usual[category] / self.price[products]) ** (
            self.sensitivity[shopper] - QUALITY
        )
        if beside is not None:
            worth = worth * np.where(self.style[products] == self.style[beside], 1.0, OTHER_STYLE)
        return products, worth / worth.sum()

    # -- the click model --------------------------------------------------------------------------------------------

    def attraction(self, shopper: int, anchor: int, due: np.ndarray, offers: np.ndarray) -> np.ndarray:
        """Chance that an examined offer beside ``anchor`` is clicked."""
        category = self.category[offers]
        fit = np.minimum(self.usual[category] / self.price[offers], 1.0) ** self.sensitivity[shopper]
        match = np.where(self.style[offers] == self.style[anchor], 1.0, OTHER_STYLE)
        goes = np.where(category == partner(self.category[anchor]), match, APART)
        goes = np.where(category == self.category[anchor], SUBSTITUTE, goes)
        wanted = self.taste[shopper, category] * self.likes(shopper)[offers] * due[category]
        return np.minimum(PULL * wanted * goes * fit, 1.0)

    def attraction_up(self, shopper: int, anchor: int, offers: np.ndarray) -> np.ndarray:
        """The same of an upgrade of ``anchor``."""
        fit = (self.price[anchor] / self.price[offers]) ** self.sensitivity[shopper]
        return np.minimum(PULL_UP * self.likes(shopper)[offers] * fit, 1.0)

    def clicks(self, shopper: int, anchor: int, due: np.ndarray, block: Block) -> np.ndarray:
        """Chance that each offer of a block that was scrolled to is clicked: examination times attraction."""
        offers = np.asarray(block.offers, int)
        examined = np.arange(1, len(offers) + 1) ** -FALL
        if block.upgrades:
            return examined * self.attraction_up(shopper, anchor, offers)
        return examined * self.attraction(shopper, anchor, due, offers)


@dataclass(frozen=True)
class Visit:
    """What somebody comes for, whatever they will be offered: to look at ``anchor``, and to buy ``plan`` (products, of
    a category each). ``due``: what they need, shape (categories,)."""

    number: int
    shopper: int
    # Seconds since 1970.
    time: float
    anchor: int
    plan: tuple[int, ...]
    due: np.ndarray
    scrolls: bool


def partner(category: np.ndarray) -> np.ndarray:
    """The category that is bought beside this one."""
    return np.asarray(category) ^ 1


def answer(world: World, visit: Visit, blocks: Sequence[Block], seed: int) -> list[tuple[int, int, bool]]:
    """(block, place, both from 0, whether it is bought) of each click, in the order of the page.

    The draws are of the visit and the product alone: who is shown the same in the same place answers the same.
    """
    drawn = np.random.default_rng([seed, 1, visit.number]).random((2, len(world.price)))
    done: list[tuple[int, int, bool]] = []
    bought: set[int] = set()
    for number, block in enumerate(blocks if visit.scrolls else ()):
        chances = world.clicks(visit.shopper, visit.anchor, visit.due, block)
        for place, (product, chance) in enumerate(zip(block.offers, chances.tolist(), strict=True)):
            category = int(world.category[product])
            if category not in bought and drawn[0, product] < chance:
                keeps = bool(drawn[1, product] < KEEPS)
                done.append((number, place, keeps))
                if keeps:
                    bought.add(category)
    return done


def expected(world: World, visit: Visit, blocks: Sequence[Block]) -> float:
    """What the visit is expected to bring where ``blocks`` are shown: the mean over all draws of `answer`."""
    price = world.price
    # Of each category, what nothing offered has been bought instead of, and the chance that nothing was.
    left = {int(world.category[product]): 1.0 for product in visit.plan}
    revenue = 0.0
    for block in blocks if visit.scrolls else ():
        chances = KEEPS * world.clicks(visit.shopper, visit.anchor, visit.due, block)
        for product, chance in zip(block.offers, chances.tolist(), strict=True):
            category = int(world.category[product])
            before = left.get(category, 1.0)
            revenue += before * chance * float(price[product])
            left[category] = before * (1 - chance)
    return revenue + sum(left[int(world.category[product])] * float(price[product]) for product in visit.plan)
