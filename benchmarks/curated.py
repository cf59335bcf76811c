"""Links between products that a merchant chose by hand, found from content and pictures alone.

A demo store (``--shop``: products.csv, links.csv and a picture of each product) without any history. For each product
with links of a kind, the products that may be offered as such are ranked by similarity: of the texts and other content
(`content_vectors`), of the pictures, and of both (`content_similarity`). They are pricier ones of the same leaf
category for up-sells, those of other leaf categories for cross-sells, and all others for related ones. Pictures are
compared by a network trained on the shop's own, by their categories, or by histograms of colours (``--histograms``).

recall@k: share of a product's links among the first k, of the k that can be at most; mean over products with links.
links: their number. products: those with links.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ecomrec_django.learning.images import decoding
from ecomrec_django.learning.images import model as image_model
from ecomrec_django.learning.similarity.content import content_similarity, content_vectors

from . import Row
from ._curated import items_of, leaves_and_prices, read_links, read_products
from .images import SHOP_SETTINGS, SHOPS, histograms

CUTS = (4, 10)
# Random orders whose mean recall is what chance reaches.
DRAWS = 50


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shop", type=Path, default=SHOPS / "magento", help="folder with products, links and pictures")
    parser.add_argument("--histograms", action="store_true", help="compare colours instead of training a network")


def run(options: argparse.Namespace) -> list[Row]:
    products = read_products(options.shop)
    leaf, price = leaves_and_prices(products)
    every = np.arange(len(products))
    vectors = content_vectors(items_of(products, leaf, price), price)
    pictures = picture_vectors(options.shop, products, leaf, histograms_only=options.histograms)
    content = content_similarity(vectors, every, every)
    similarities = {
        "content": content,
        "pictures": pictures @ pictures.T,
        "content + pictures": content_similarity(vectors, every, every, pictures),
    }
    rows: list[Row] = []
    for kind, links in read_links(options.shop, products).items():
        counts = {"links": sum(map(len, links.values())), "products": len(links)}
        eligible = _eligible(kind, leaf, price)
        for name, similarity in similarities.items():
            rows.append({"name": f"{name}:{kind}", **recalls(similarity, eligible, links), **counts})
        rng = np.random.default_rng(0)
        drawn = [recalls(rng.random(content.shape), eligible, links) for _ in range(DRAWS)]
        chance = {name: float(np.mean([each[name] for each in drawn])) for name in drawn[0]}
        rows.append({"name": f"random:{kind}", **chance, **counts})
    return rows


def _eligible(kind: str, leaf: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Whether a product (column) may be offered beside another (row) as this kind."""
    same, other = leaf[:, None] == leaf, ~np.eye(len(leaf), dtype=bool)
    if kind == "upsell":
        return same & (price > price[:, None])
    return ~same if kind == "crosssell" else other


def recalls(similarity: np.ndarray, eligible: np.ndarray, links: dict[int, set[int]]) -> dict[str, float]:
    """recall at each of CUTS of ``links`` by product, of products ranked by ``similarity``, the most similar first."""
    order = np.argsort(np.where(eligible, -similarity, np.inf), axis=1, kind="stable")
    found = {}
    for cut in CUTS:
        shares = []
        for product, linked in links.items():
            first = [at for at in order[product, :cut].tolist() if eligible[product, at]]
            shares.append(len(linked.intersection(first)) / min(cut, len(linked)))
        found[f"recall@{cut}"] = float(np.mean(shares))
    return found


def picture_vectors(
    folder: Path, products: list[dict[str, str]], leaf: np.ndarray, *, histograms_only: bool
) -> np.ndarray:
    """A vector of length 1 for each product's picture, 0 for a product without one, shape (products, width)."""
    paths = {path.stem.lower(): path for path in folder.glob("*.jpg")}
    there = [at for at, product in enumerate(products) if product["sku"].lower() in paths]
    shown = np.stack([decoding.decode_image(paths[products[at]["sku"].lower()].read_bytes()) for at in there])
    if histograms_only:
        made = histograms(shown)
    else:
        model = image_model.train(shown, {"category": leaf[there]}, settings=SHOP_SETTINGS)
        made = image_model.embed(model, shown)
    vectors = np.zeros((len(products), made.shape[1]), np.float32)
    vectors[there] = made
    return vectors
