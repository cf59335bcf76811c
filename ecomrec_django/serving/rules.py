"""A merchant's rules as a page applies them: which are in force here and now, and what they say of an offer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from ..db import MAX_LOOKUP_IDS, chunks, to_aware
from ..models import Item, Rule
from ..models.catalog import within
from ..strategies.base import Offer, Reason, Violation, ViolationCode


class ItemAttributes(NamedTuple):
    """What the mirror says of an item; every field is empty for one that it does not know.

    category: Category.path, "" for none.
    brand: as the shop writes it, "" for none.
    attributes: name -> value.
    cost: what it costs the shop, None where unknown.
    first_seen: when it came into the mirror.
    price: that of the last sync, None where unknown.
    """

    category: str = ""
    brand: str = ""
    attributes: Mapping[str, str] = MappingProxyType({})
    cost: Decimal | None = None
    first_seen: datetime | None = None
    price: Decimal | None = None


UNKNOWN_ITEM = ItemAttributes()
NO_BOUNDS = (None, None)


class LiveValues(NamedTuple):
    """What the shop says of a product at this moment, its price in the base currency; None: unknown."""

    price: Decimal | None
    stock: int | None


@dataclass(frozen=True, kw_only=True)
class CompiledRule:
    """One `Rule`, as far as a page needs it; what the rule leaves open is "", 0, None or a pair of None.

    number: Rule.pk, 0 for a rule that is not saved.
    name: what the merchant calls it.
    action: one of Rule.Action.
    factor: by how much a rule that boosts multiplies scores.
    discovery: of a rule that sets it.
    strategy, slot: the blocks that it is for.
    anchor_category: Category.path of the anchors that it is for.
    segment: Segment.pk of the shoppers that it is for.
    category: Category.path of the offers that match.
    brand, attribute, value: of the offers that match, case-folded.
    price, margin, stock: lowest and highest of the offers that match; prices are list prices in the base currency, a
        margin is a share of them.
    new_days: matching offers came into the catalog within so many days.
    starts, ends: when it is in force.
    item: external id of the one item that it is about.
    former_items, former_anchors: external ids of what it matched before it came to match nothing, to which it still
        applies.
    """

    number: int
    name: str
    action: str
    factor: float = 1.0
    discovery: float | None = None
    strategy: str = ""
    slot: str = ""
    anchor_category: str = ""
    segment: int = 0
    category: str = ""
    brand: str = ""
    attribute: str = ""
    value: str = ""
    price: tuple[Decimal | None, Decimal | None] = NO_BOUNDS
    margin: tuple[float | None, float | None] = NO_BOUNDS
    stock: tuple[int | None, int | None] = NO_BOUNDS
    new_days: int | None = None
    starts: datetime | None = None
    ends: datetime | None = None
    item: str = ""
    former_items: frozenset[str] = frozenset()
    former_anchors: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, rule: Rule, former_items: frozenset[str] = frozenset(), former_anchors: frozenset[str] = frozenset()
    ) -> CompiledRule:
        """Of a rule with its ``item``, ``category`` and ``anchor_category`` at hand; it need not be saved."""
        return cls(
            number=rule.pk or 0,
            name=rule.name,
            action=rule.action,
            factor=rule.factor,
            discovery=rule.discovery,
            strategy=rule.strategy,
            slot=rule.slot,
            anchor_category=rule.anchor_category.path if rule.anchor_category is not None else "",
            segment=rule.segment_id or 0,
            category=rule.category.path if rule.category is not None else "",
            brand=rule.brand.casefold(),
            attribute=rule.attribute.casefold(),
            value=rule.value.casefold(),
            price=(rule.lowest_price, rule.highest_price),
            margin=(rule.lowest_margin, rule.highest_margin),
            stock=(rule.lowest_stock, rule.highest_stock),
            new_days=rule.new_days,
            starts=to_aware(rule.starts) if rule.starts is not None else None,
            ends=to_aware(rule.ends) if rule.ends is not None else None,
            item=rule.item.external_id if rule.item is not None else "",
            former_items=former_items,
            former_anchors=former_anchors,
        )

    @property
    def hides_an_item(self) -> bool:
        """Whether it hides one item and asks for nothing else: a merchant may have thousands of these."""
        return bool(self.item) and self.action == Rule.Action.HIDE and not (self.asks_mirror or self.asks_live)

    @cached_property
    def asks_price(self) -> bool:
        """Whether it needs the list price."""
        return _bounds(self.price) or _bounds(self.margin)

    @cached_property
    def asks_live(self) -> bool:
        """Whether it needs the product as it is now."""
        return self.asks_price or _bounds(self.stock)

    @cached_property
    def asks_mirror(self) -> bool:
        """Whether it needs what the mirror says of offers or anchors."""
        conditions = self.category or self.brand or self.attribute or self.anchor_category or self.new_days is not None
        return bool(conditions) or _bounds(self.margin) or (self.action == Rule.Action.BOOST and self.asks_price)

    def is_in_force(self, block: BlockContext) -> bool:
        """Whether it holds in such a block, whatever its anchors are."""
        return (
            self.strategy in ("", block.strategy)
            and self.slot in ("", block.slot)
            and self.segment in (0, block.segment)
            and (self.starts is None or self.starts <= block.now)
            and (self.ends is None or block.now < self.ends)
        )

    def matches(self, item: str, attributes: ItemAttributes, live: LiveValues | None) -> bool | None:
        """Whether an offer meets all conditions; None where that depends on its live product, which is not given."""
        if item not in self.former_items and not self._describes(item, attributes):
            return False
        if self.new_days is not None and not _is_new(attributes.first_seen, self.new_days):
            return False
        if not self.asks_live:
            return True
        if live is None:
            return None
        return (
            _is_between(live.price, self.price)
            and _is_between(margin(live.price, attributes.cost), self.margin)
            and _is_between(live.stock, self.stock)
        )

    def is_beside(self, anchors: Iterable[str], attributes: Mapping[str, ItemAttributes]) -> bool:
        """Whether it holds beside these anchors; ``attributes`` by external id."""
        if not self.anchor_category:
            return True
        return any(
            anchor in self.former_anchors or within(attributes.get(anchor, UNKNOWN_ITEM).category, self.anchor_category)
            for anchor in anchors
        )

    def _describes(self, item: str, attributes: ItemAttributes) -> bool:
        return (
            self.item in ("", item)
            and (not self.category or within(attributes.category, self.category))
            and self.brand in ("", attributes.brand.casefold())
            and (not self.attribute or self._has_attribute(attributes.attributes))
        )

    def _has_attribute(self, attributes: Mapping[str, str]) -> bool:
        values = [text for name, text in attributes.items() if name.casefold() == self.attribute]
        return any(not self.value or str(text).casefold() == self.value for text in values)


def _is_new(first_seen: datetime | None, days: int) -> bool:
    return first_seen is not None and datetime.now(UTC) - first_seen <= timedelta(days=days)


def margin(price: Decimal | None, cost: Decimal | None) -> float | None:
    """Share of the price that is left."""
    return float((price - cost) / price) if price and cost is not None else None


def _bounds(limits: tuple[Any, Any]) -> bool:
    return limits != NO_BOUNDS


def _is_between(value: Any, limits: tuple[Any, Any]) -> bool:
    """What is not known lies nowhere, unless there are no limits."""
    low, high = limits
    if low is None and high is None:
        return True
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


class BlockContext(NamedTuple):
    """What a block is: its strategy, slot, Segment.pk, and when it is asked for."""

    strategy: str
    slot: str
    segment: int
    now: datetime


@dataclass(frozen=True, kw_only=True)
class ActiveRules:
    """The rules in force in one block, and what the mirror says of the items that they are asked about.

    rules: all but those in ``hidden``.
    attributes: by external id; None where the rules have not been asked about any item yet.
    hidden: external id -> the rules that hide this one item, in force or not.
    block: what ``hidden`` is asked about; None where they hold anyway.
    """

    rules: tuple[CompiledRule, ...] = ()
    attributes: Mapping[str, ItemAttributes] | None = None
    hidden: Mapping[str, tuple[CompiledRule, ...]] = field(default_factory=dict)
    block: BlockContext | None = None

    @cached_property
    def asks_mirror(self) -> bool:
        """Whether the mirror has to be asked about offers or anchors, which may cost a query."""
        return any(rule.asks_mirror for rule in self.rules)

    @cached_property
    def asks_price(self) -> bool:
        """Whether a rule needs the list price of an offer."""
        return any(rule.asks_price for rule in self.rules)

    @cached_property
    def hiding(self) -> tuple[CompiledRule, ...]:
        """Those that hide matching offers; rules that hide one item and ask nothing else are in ``hidden``."""
        return tuple(rule for rule in self.rules if rule.action == Rule.Action.HIDE)

    @cached_property
    def hiding_without_live(self) -> tuple[CompiledRule, ...]:
        """Those that hide an offer whatever its live product is like."""
        return tuple(rule for rule in self.hiding if not rule.asks_live)

    @cached_property
    def allowing(self) -> tuple[CompiledRule, ...]:
        """Those of which an offer has to match at least one, if there are any."""
        return tuple(rule for rule in self.rules if rule.action == Rule.Action.ONLY)

    @cached_property
    def boosting(self) -> tuple[CompiledRule, ...]:
        """Those that multiply the scores of matching offers."""
        return tuple(rule for rule in self.rules if rule.action == Rule.Action.BOOST)

    @cached_property
    def boosts_stock(self) -> bool:
        """Whether an order depends on live products: the mirror knows no stock."""
        return any(_bounds(rule.stock) for rule in self.boosting)

    def for_anchors(self, anchors: Iterable[str], attributes: Mapping[str, ItemAttributes]) -> ActiveRules:
        """Those that hold beside these anchors; ``attributes`` by external id."""
        given = tuple(anchors)
        rules = [rule for rule in self.rules if rule.is_beside(given, attributes)]
        return replace(self, rules=tuple(rules), attributes=attributes)

    def violation(self, item: str, live: LiveValues | None = None) -> Violation | None:
        """The rule that an offer breaks; None if it breaks none, or may yet, where ``live`` is not given."""
        for rule in self.hidden.get(item, ()):
            if self.block is None or rule.is_in_force(self.block):
                return Violation(ViolationCode.HIDDEN_BY_RULE, {"name": rule.name})
        attributes = self._attributes(item)
        for rule in self.hiding if live is not None else self.hiding_without_live:
            if rule.matches(item, attributes, live):
                return Violation(ViolationCode.HIDDEN_BY_RULE, {"name": rule.name})
        # One that depends on the live product may still be met.
        if self.allowing and not any(rule.matches(item, attributes, live) in (True, None) for rule in self.allowing):
            names = ", ".join(f"“{rule.name}”" for rule in self.allowing)
            return Violation(ViolationCode.NOT_ALLOWED_BY_RULES, {"names": names})
        return None

    def factor(self, item: str, stock: int | None = None) -> float:
        """By how much an offer is boosted: the product of the factors of rules that match at the last sync's price."""
        attributes, factor = self._attributes(item), 1.0
        live = LiveValues(attributes.price, stock)
        for rule in self.boosting:
            if rule.matches(item, attributes, live):
                factor *= rule.factor
        return factor

    def boosted(self, offers: Sequence[Offer], stocks: Mapping[str, int | None] | None = None) -> Sequence[Offer]:
        """The same offers in the order of score · factor, pins first as they are; ``stocks``: external id -> pieces.

        The order given need not be that of the scores (what came since the training keeps its position): an offer
        counts with the greatest score from its position on, so that without a boost nothing moves.
        """
        if not self.boosting:
            return offers
        stocks = stocks or {}
        scores, greatest = {}, float("-inf")
        for offer in reversed(offers):
            greatest = max(greatest, offer.score)
            scores[offer.item] = greatest
        pins = [offer for offer in offers if offer.reason is Reason.PINNED]
        others = [offer for offer in offers if offer.reason is not Reason.PINNED]
        others.sort(key=lambda offer: -scores[offer.item] * self.factor(offer.item, stocks.get(offer.item)))
        return [*pins, *others]

    def _attributes(self, item: str) -> ItemAttributes:
        return (self.attributes or {}).get(item, UNKNOWN_ITEM)


NO_RULES = ActiveRules()


def item_attributes(items: Iterable[str], *, attributes: bool = True) -> dict[str, ItemAttributes]:
    """What the mirror says of items by external id; one query for up to MAX_LOOKUP_IDS of them.

    Those of which it knows nothing are left out. ``attributes``: whether those are asked for, which take longest to
    read.
    """
    known = {}
    columns = ("external_id", "category__path", "brand", "cost", "first_seen", "price")
    for ids in chunks(sorted(set(items)), MAX_LOOKUP_IDS):
        rows = Item.objects.filter(external_id__in=ids).order_by()
        for name, category, brand, cost, first_seen, price, *more in rows.values_list(
            *columns, *(["attributes"] if attributes else [])
        ):
            known[name] = ItemAttributes(
                category=category or "",
                brand=brand,
                attributes=more[0] if more and isinstance(more[0], dict) else {},
                cost=cost,
                first_seen=to_aware(first_seen),
                price=price,
            )
    return known
