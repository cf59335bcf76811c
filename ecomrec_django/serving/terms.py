"""A merchant's rules as a page applies them: which hold here and now, and what they say of an offer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

from ..models import Item, Rule
from ..models.bulk import LOOKUP, aware, chunks
from ..models.catalog import CATEGORY_SEPARATOR
from ..strategies.base import Offer, Reason


class Facts(NamedTuple):
    """What the mirror says of an item; ``category`` is a Category.path, "" for none, ``since`` when it came, ``price``
    that of the last sync."""

    category: str
    brand: str
    attributes: Mapping[str, str]
    cost: Decimal | None
    since: datetime | None = None
    price: Decimal | None = None


NOTHING = Facts("", "", {}, None)


class Live(NamedTuple):
    """What the shop says of a product at this moment; None: unknown."""

    price: Decimal | None
    stock: int | None


@dataclass(frozen=True)
class Term:
    """One `Rule`, as far as a page needs it. ``beside`` and ``category`` are Category.paths, ``segment`` a Segment.pk;
    "" and 0 where the rule leaves them open."""

    number: int
    name: str
    action: str
    factor: float
    strategy: str
    slot: str
    beside: str
    segment: int
    category: str
    brand: str
    attribute: str
    value: str
    price: tuple[Decimal | None, Decimal | None]
    margin: tuple[float | None, float | None]
    stock: tuple[int | None, int | None]
    new_days: int | None
    starts: datetime | None
    ends: datetime | None
    # External id of the one item that it is about.
    item: str = ""

    @classmethod
    def of(cls, rule: Rule) -> Term:
        """Of a rule with its ``item``, ``category`` and ``beside`` at hand; it need not be saved."""
        return cls(
            rule.pk or 0,
            rule.name,
            rule.action,
            rule.factor,
            rule.strategy,
            rule.slot,
            rule.beside.path if rule.beside is not None else "",
            rule.segment_id or 0,
            rule.category.path if rule.category is not None else "",
            rule.brand.casefold(),
            rule.attribute.casefold(),
            rule.value.casefold(),
            (rule.lowest_price, rule.highest_price),
            (rule.lowest_margin, rule.highest_margin),
            (rule.lowest_stock, rule.highest_stock),
            rule.new_days,
            aware(rule.starts) if rule.starts is not None else None,
            aware(rule.ends) if rule.ends is not None else None,
            rule.item.external_id if rule.item is not None else "",
        )

    @property
    def hides_an_item(self) -> bool:
        """Whether it hides one item and asks for nothing else: a merchant may have thousands of these."""
        return bool(self.item) and self.action == Rule.Action.HIDE and not (self.asks_mirror or self.asks_live)

    @cached_property
    def asks_price(self) -> bool:
        return _bounds(self.price) or _bounds(self.margin)

    @cached_property
    def asks_live(self) -> bool:
        """Whether it needs the product as it is now."""
        return self.asks_price or _bounds(self.stock)

    @cached_property
    def asks_mirror(self) -> bool:
        """Whether it needs what the mirror says of offers or anchors."""
        asked = self.category or self.brand or self.attribute or self.beside or self.new_days is not None
        return bool(asked) or _bounds(self.margin) or (self.action == Rule.Action.BOOST and self.asks_price)

    def holds(self, strategy: str, slot: str, segment: int, now: datetime) -> bool:
        """Whether it is in force in such a block, whatever it stands beside."""
        return (
            self.strategy in ("", strategy)
            and self.slot in ("", slot)
            and self.segment in (0, segment)
            and (self.starts is None or self.starts <= now)
            and (self.ends is None or now < self.ends)
        )

    def fits(self, item: str, facts: Facts, live: Live | None) -> bool | None:
        """Whether an offer meets all conditions; None where that turns on its live product, which is not given."""
        if self.item and item != self.item:
            return False
        if self.category and not within(facts.category, self.category):
            return False
        if self.brand and facts.brand.casefold() != self.brand:
            return False
        if self.attribute and not self._has_attribute(facts.attributes):
            return False
        if self.new_days is not None and not _within(facts.since, self.new_days):
            return False
        if not self.asks_live:
            return True
        if live is None:
            return None
        return (
            _lies(live.price, self.price)
            and _lies(margin(live.price, facts.cost), self.margin)
            and _lies(live.stock, self.stock)
        )

    def _has_attribute(self, attributes: Mapping[str, str]) -> bool:
        values = [text for name, text in attributes.items() if name.casefold() == self.attribute]
        return any(not self.value or str(text).casefold() == self.value for text in values)


def _within(since: datetime | None, days: int) -> bool:
    return since is not None and datetime.now(UTC) - since <= timedelta(days=days)


def within(path: str, category: str) -> bool:
    """Whether a category's ``path`` is ``category`` or lies below it."""
    return path == category or path.startswith(category + CATEGORY_SEPARATOR)


def margin(price: Decimal | None, cost: Decimal | None) -> float | None:
    """Share of the price that is left."""
    return float((price - cost) / price) if price and cost is not None else None


def _bounds(limits: tuple[Any, Any]) -> bool:
    return limits != (None, None)


def _lies(value: Any, limits: tuple[Any, Any]) -> bool:
    """What is not known lies nowhere."""
    low, high = limits
    if low is None and high is None:
        return True
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


class Block(NamedTuple):
    """What a block is: its strategy, slot, Segment.pk, and when it is asked for."""

    strategy: str
    slot: str
    segment: int
    now: datetime


@dataclass(frozen=True)
class Terms:
    """The rules in force in one block, and what the mirror says of the items that they are asked about."""

    rules: tuple[Term, ...] = ()
    facts: Mapping[str, Facts] | None = None
    # Those that hide one item, by its external id, and the block that they are asked about.
    hidden: Mapping[str, tuple[Term, ...]] = field(default_factory=dict)
    block: Block | None = None

    @cached_property
    def asks_mirror(self) -> bool:
        return any(rule.asks_mirror for rule in self.rules)

    @cached_property
    def hides(self) -> tuple[Term, ...]:
        return tuple(rule for rule in self.rules if rule.action == Rule.Action.HIDE)

    @cached_property
    def hides_anyway(self) -> tuple[Term, ...]:
        """Those that hide an offer whatever its live product is like."""
        return tuple(rule for rule in self.hides if not rule.asks_live)

    @cached_property
    def allows(self) -> tuple[Term, ...]:
        return tuple(rule for rule in self.rules if rule.action == Rule.Action.ONLY)

    @cached_property
    def boosts(self) -> tuple[Term, ...]:
        return tuple(rule for rule in self.rules if rule.action == Rule.Action.BOOST)

    @cached_property
    def boosts_stock(self) -> bool:
        """Whether an order depends on live products: the mirror knows no stock."""
        return any(_bounds(rule.stock) for rule in self.boosts)

    def beside(self, anchors: Iterable[str], facts: Mapping[str, Facts]) -> Terms:
        """Those that hold beside these anchors; ``facts`` by external id."""
        paths = [facts.get(anchor, NOTHING).category for anchor in anchors]
        kept = [rule for rule in self.rules if not rule.beside or any(within(path, rule.beside) for path in paths)]
        return replace(self, rules=tuple(kept), facts=facts)

    def broken(self, item: str, live: Live | None = None) -> str | None:
        """The rule that an offer breaks, in words; None if it breaks none, or may yet, where ``live`` is not given."""
        for rule in self.hidden.get(item, ()):
            if self.block is None or rule.holds(*self.block):
                return f"hidden by “{rule.name}”"
        facts = self._facts(item)
        for rule in self.hides if live is not None else self.hides_anyway:
            if rule.fits(item, facts, live):
                return f"hidden by “{rule.name}”"
        # One that turns on the live product may still be met.
        if self.allows and not any(rule.fits(item, facts, live) in (True, None) for rule in self.allows):
            names = ", ".join(f"“{rule.name}”" for rule in self.allows)
            return f"not among {names}"
        return None

    def factor(self, item: str, stock: int | None = None) -> float:
        """By how much an offer is boosted: the product of the factors that fit it, at the price of the last sync."""
        facts, found = self._facts(item), 1.0
        live = Live(facts.price, stock)
        for rule in self.boosts:
            if rule.fits(item, facts, live):
                found *= rule.factor
        return found

    def boosted(self, offers: Sequence[Offer], stocks: Mapping[str, int | None] | None = None) -> Sequence[Offer]:
        """The same offers in the order of score · factor, pins first as they are; ``stocks``: external id -> pieces.

        The order given need not be that of the scores (a dial may have turned it): an offer counts with the greatest
        score from its place on, so that without a boost nothing moves.
        """
        if not self.boosts:
            return offers
        stocks = stocks or {}
        worth, greatest = {}, float("-inf")
        for offer in reversed(offers):
            greatest = max(greatest, offer.score)
            worth[offer.item] = greatest
        pins = [offer for offer in offers if offer.reason is Reason.PINNED]
        others = [offer for offer in offers if offer.reason is not Reason.PINNED]
        others.sort(key=lambda offer: -worth[offer.item] * self.factor(offer.item, stocks.get(offer.item)))
        return [*pins, *others]

    def _facts(self, item: str) -> Facts:
        return (self.facts or {}).get(item, NOTHING)


def facts_of(items: Iterable[str], *, attributes: bool = True) -> dict[str, Facts]:
    """What the mirror says of items by external id; one query for up to LOOKUP of them. Those of which it knows nothing
    are left out. ``attributes``: whether those are asked for, which take longest to read."""
    found = {}
    columns = ("external_id", "category__path", "brand", "cost", "first_seen", "price")
    for some in chunks(sorted(set(items)), LOOKUP):
        rows = Item.objects.filter(external_id__in=some).order_by()
        for name, category, brand, cost, since, price, *more in rows.values_list(
            *columns, *(["attributes"] if attributes else [])
        ):
            known = more[0] if more and isinstance(more[0], dict) else {}
            found[name] = Facts(category or "", brand, known, cost, aware(since), price)
    return found
