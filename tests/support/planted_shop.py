"""A planted shop: its catalog and orders are plain lists, and its strategies do as they are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np

from ecomrec_django.catalog.adapter import Catalog, ItemFacts, PurchaseLine, ReviewLine
from ecomrec_django.strategies.base import EVIDENCE_WIDTH, Lists, Reason, Strategy, StrategyLists

NOON = datetime(2017, 3, 1, 12, tzinfo=UTC)


class PlantedCatalog(Catalog):
    """Reads class-level lists, which a fixture empties before each test. A dollar costs 0.50 of the base currency."""

    facts: list[ItemFacts | Exception] = []
    lines: list[PurchaseLine] = []
    review_lines: list[ReviewLine] = []
    asked: list[datetime | None] = []

    def items(self):
        return iter(self.facts)

    def external_id(self, product):
        return product.external_id

    def describe(self, product):
        if isinstance(product, Exception):
            raise product
        return product

    def purchases(self, since):
        self.asked.append(since)
        return iter(self.lines)

    def order_lines(self, order):
        return [line for line in self.lines if line.order == order]

    def reviews(self, since):
        return iter(self.review_lines)

    def in_base_currency(self, price, currency, time):
        return price / 2 if currency == "USD" else super().in_base_currency(price, currency, time)


def facts(name: str, category: str = "A > B", price: str | None = "1.00", **more) -> ItemFacts:
    path = tuple(category.split(" > ")) if category else ()
    return ItemFacts(
        external_id=name, title=f"Title {name}", category=path, price=None if price is None else Decimal(price), **more
    )


def line(number, item: str, order: str = "o1", user: str | None = "1", quantity: int = 1, refunded: int = 0, time=NOON):
    return PurchaseLine(
        line=str(number),
        order=order,
        user=user,
        item=item,
        quantity=quantity,
        price=Decimal("2.50"),
        time=time,
        refunded=refunded,
    )


class NextItem(Strategy):
    """Offers, for each item, the one with the next key; for each category, its first item."""

    def make(self, data):
        pks = np.sort(data.items["item"].to_numpy())
        categories = np.unique(data.items["category"].to_numpy())
        return StrategyLists(
            _one_each(pks, np.roll(pks, -1), Reason.TOGETHER),
            _one_each(categories[categories > 0], np.resize(pks, (categories > 0).sum()), Reason.POPULAR),
        )


class SameForAll(Strategy):
    """Offers all items beside each item, in the order of their keys."""

    def make(self, data):
        pks = np.sort(data.items["item"].to_numpy())
        offered = np.array([np.delete(pks, at) for at in range(len(pks))])
        rows = _one_each(np.repeat(pks, offered.shape[1]), offered.ravel(), Reason.TOGETHER)
        starts = np.arange(len(pks) + 1) * offered.shape[1]
        return StrategyLists(replace(rows, owners=pks.astype(np.int64), starts=starts))


class EmptyStrategy(Strategy):
    """Has no lists, and leaves its offers to the ranker of "for you"."""

    ranker = "for_you"
    needs_anchor = False

    def make(self, data):
        return StrategyLists(Lists.empty())


class Broken(Strategy):
    def make(self, data):
        raise ZeroDivisionError("planted")


def _one_each(owners, items, reason):
    evidence = np.tile(np.arange(EVIDENCE_WIDTH, dtype=np.float32), (len(owners), 1))
    return Lists(
        owners=owners.astype(np.int64),
        starts=np.arange(len(owners) + 1),
        items=items.astype(np.int64),
        scores=np.full(len(owners), 0.123456, np.float32),
        reasons=np.full(len(owners), int(reason), np.int8),
        evidence=evidence,
    )
