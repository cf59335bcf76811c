"""Upgrades of a demo store's products, beside those that its merchant chose by hand."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecomrec_django.catalog.plain_text import plain_text
from ecomrec_django.learning.interactions import HISTORY, ITEMS, schema
from ecomrec_django.learning.statistics.engine import Engine
from ecomrec_django.learning.statistics.training_data import TrainingData
from ecomrec_django.strategies.base import Strategy
from ecomrec_django.strategies.extras import Extras
from ecomrec_django.strategies.upgrade_to import UpgradeTo

from . import Row

if TYPE_CHECKING:
    import pyarrow as pa

K = 4
# Collections and promotions a product is in beside its category.
_BESIDE = re.compile("/(?:Collections|Promotions)")


def rows(folder: Path) -> list[Row]:
    """leaf_and_pricier: share of the first K upgrades of products with curated ones that are in the leaf category of
    one of those and cost more than the product. recall@4: share of the curated upgrades found, of the K that can be at
    most; mean over products.
    """
    products = read_products(folder)
    curated = read_links(folder, products)["upsell"]
    leaf, price = leaves_and_prices(products)
    alike = [np.flatnonzero((leaf == leaf[at]) & (price > price[at])) for at in range(len(products))]
    rng = np.random.default_rng(0)
    methods = {
        "ecomrec:magento": _ours(products, leaf, price),
        "next price step:magento": [own[np.argsort(price[own], kind="stable")] for own in alike],
        "random of the leaf category:magento": [rng.permutation(np.flatnonzero(leaf == own)) for own in leaf],
    }
    found: list[Row] = [{"name": name, **_scores(lists, curated, leaf, price)} for name, lists in methods.items()]
    return [*found, *_cross_sell(folder, products, leaf, price)]


def read_products(folder: Path) -> list[dict[str, str]]:
    """The store's products, whose numbers are their places here."""
    with (folder / "products.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_links(folder: Path, products: list[dict[str, str]]) -> dict[str, dict[int, set[int]]]:
    """By kind and product, the products that the merchant linked."""
    number = {product["sku"]: at for at, product in enumerate(products)}
    links: defaultdict[str, dict[int, set[int]]] = defaultdict(dict)
    with (folder / "links.csv").open(newline="", encoding="utf-8") as file:
        for link in csv.DictReader(file):
            if link["sku"] in number and link["linked_sku"] in number:
                links[link["kind"]].setdefault(number[link["sku"]], set()).add(number[link["linked_sku"]])
    return links


def leaves_and_prices(products: list[dict[str, str]]) -> tuple[np.ndarray, np.ndarray]:
    """Number of each product's leaf category, and its price."""
    leaf = np.unique([_BESIDE.split(product["category"])[0] for product in products], return_inverse=True)[1]
    return leaf, np.array([float(product["price"]) for product in products])


def _cross_sell(folder: Path, products: list[dict[str, str]], leaf: np.ndarray, price: np.ndarray) -> list[Row]:
    """recall@4 of the curated cross-sell of other leaf categories, for the half of the products on which no price of an
    extra was looked up."""
    links = read_links(folder, products)["crosssell"]
    anchors = sorted(links)[1::2]
    others = {at: {one for one in links[at] if leaf[one] != leaf[at]} for at in anchors}
    others = {at: wanted for at, wanted in others.items() if wanted}
    rng = np.random.default_rng(0)
    chance = np.mean(
        [
            len(wanted & set(rng.permutation(np.flatnonzero(leaf != leaf[at]))[:K].tolist())) / min(K, len(wanted))
            for at, wanted in others.items()
            for _ in range(200)
        ]
    )
    ours = _made(Extras(), products, leaf, price)
    recall = np.mean([len(wanted & set(ours[at][:K].tolist())) / min(K, len(wanted)) for at, wanted in others.items()])
    return [
        {"name": "ecomrec extras:magento cross-sell", "recall@4": float(recall), "products": len(others)},
        {"name": "random of other categories:magento cross-sell", "recall@4": float(chance), "products": len(others)},
    ]


def _scores(
    lists: list[np.ndarray], curated: dict[int, set[int]], leaf: np.ndarray, price: np.ndarray
) -> dict[str, float | int]:
    sound, recall = [], []
    for anchor, wanted in curated.items():
        offered = lists[anchor][:K].tolist()
        leaves = {int(leaf[one]) for one in wanted}
        sound += [leaf[one] in leaves and price[one] > price[anchor] for one in offered]
        recall.append(len(wanted & set(offered)) / min(K, len(wanted)))
    return {"leaf_and_pricier": float(np.mean(sound)), "recall@4": float(np.mean(recall)), "products": len(curated)}


def _ours(products: list[dict[str, str]], leaf: np.ndarray, price: np.ndarray) -> list[np.ndarray]:
    return _made(UpgradeTo(), products, leaf, price)


def _made(strategy: Strategy, products: list[dict[str, str]], leaf: np.ndarray, price: np.ndarray) -> list[np.ndarray]:
    size, items = len(products), items_of(products, leaf, price)
    made = strategy.make(TrainingData(engine=Engine(), events=schema(HISTORY).empty_table(), items=items)).by_item
    row = {int(owner) - 1: at for at, owner in enumerate(made.owners)}
    nothing = made.items[:0]
    return [
        made.items[made.starts[row[at]] : made.starts[row[at] + 1]] - 1 if at in row else nothing for at in range(size)
    ]


def items_of(products: list[dict[str, str]], leaf: np.ndarray, price: np.ndarray) -> pa.Table:
    """The products as an Arrow table of columns ITEMS."""
    import pyarrow as pa

    size = len(products)
    text = [plain_text(product["description"]) for product in products]
    columns = {
        "item": np.arange(size) + 1,
        "external_id": [product["sku"] for product in products],
        "title": [product["name"] for product in products],
        "description": text,
        "brand": [""] * size,
        "category": leaf + 1,
        "aisle": leaf + 1,
        "category_path": [product["category"].replace("/", " > ") for product in products],
        "price": price,
        "cost": np.full(size, np.nan),
        "rating": np.full(size, np.nan),
        "amount": np.full(size, np.nan),
        "unit": [""] * size,
        "attributes": [""] * size,
        "available": [True] * size,
        "active": [True] * size,
        "sellable": [True] * size,
    }
    return pa.table({name: pa.array(columns[name], schema(ITEMS).field(name).type) for name in ITEMS})
