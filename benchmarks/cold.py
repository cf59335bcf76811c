"""Offers beside products that nobody has bought yet: with and without what is said of them, and with their pictures.

``planted``: a shop of as many categories as the example shop draws shapes of packages. Each basket holds a product
of one category and one of the category that goes with it. Of each category some products are withheld from the
history, and nothing is said of them but a price; ``category recall`` is the share of withheld products among whose ten
offers is one of the category that goes with theirs, ``recall`` the share of that category's ten most bought products.
``journey``: Complete Journey as in `complete_journey`; a tenth of the items with cases are withheld from the training
slice, and their test baskets are predicted by what is said of them (category, type, size, brand).

``upgrades``: of the planted shop, where who looks at a product looks at others of its pattern, the pricier ones of a
withheld product's category and pattern, within the price band, are what it may be upgraded to; ``recall`` is the share
of these among its first four upgrades, of the four that can be. Of Complete Journey as in `upgrade`, withheld are a
tenth of the items that households moved up from; ``recall`` is the share of moves whose item is among the first four.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import numpy as np

from ecomrec_django.learning.evaluation.metrics import evaluate
from ecomrec_django.learning.interactions import HISTORY, ITEMS, schema
from ecomrec_django.learning.similarity.content import nearest_in_need
from ecomrec_django.learning.statistics.engine import Engine
from ecomrec_django.learning.statistics.training_data import TrainingData
from ecomrec_django.strategies.base import StrategyLists
from ecomrec_django.strategies.bought_with import BoughtWith
from ecomrec_django.strategies.candidates import OfferTable
from ecomrec_django.strategies.upgrade_candidates import HIGH, LOW
from ecomrec_django.strategies.upgrade_to import UpgradeTo

from . import Row, upgrade
from ._complete_journey_data import history_table, items_table, load

K, FEW = 10, 4
# Chance from which a product is taken to be of the suggested category, as `ecomrec_django.pipeline.train_images` does.
SURE = 0.7
# Of each planted category.
PRODUCTS, WITHHELD, BASKETS = 24, 6, 400
SESSIONS = 20_000


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", choices=["planted", "journey"], help="one shop instead of both")


def run(options: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    if options.only != "journey":
        rows += [{"name": f"planted: {name}", **row} for name, row in _planted().items()]
        rows += [{"name": f"planted upgrades: {name}", **row} for name, row in _planted_upgrades().items()]
    if options.only != "planted":
        rows += [{"name": f"journey: {name}", **row} for name, row in _journey().items()]
        rows += [{"name": f"journey upgrades: {name}", **row} for name, row in _journey_upgrades().items()]
    return rows


def _planted() -> dict[str, Row]:
    rng = np.random.default_rng(0)
    pictures, category, _ = _drawn(rng)
    kinds = int(category.max()) + 1
    partner = (np.arange(kinds) + 1) % kinds
    cold = (np.arange(len(category)) % PRODUCTS) < WITHHELD
    warm = [np.flatnonzero((category == kind) & ~cold) for kind in range(kinds)]
    pairs = [(rng.choice(warm[kind], BASKETS), rng.choice(warm[partner[kind]], BASKETS)) for kind in range(kinds)]
    baskets = rng.permutation(np.concatenate([np.stack(pair, axis=1) for pair in pairs]))
    events = _events(baskets)
    bought = np.bincount(baskets.ravel(), minlength=len(category))
    best = [warm[kind][np.argsort(-bought[warm[kind]], kind="stable")[:K]] for kind in range(kinds)]

    ways = _ways(pictures, category, cold)
    rows: dict[str, Row] = {}
    for name, (known, vectors) in ways.items():
        items = _items(known)
        lists = BoughtWith().make(TrainingData(engine=Engine(), events=events, items=items, image_vectors=vectors))
        offers = _offers(lists, items, np.flatnonzero(cold), cold, vectors)
        wanted = partner[category[cold]]
        found = [category[each[:K]] == kind for each, kind in zip(offers, wanted, strict=True)]
        recalls = [np.isin(best[kind], each[:K]).mean() for each, kind in zip(offers, wanted, strict=True)]
        rows[name] = {
            "category_recall": float(np.mean([part.any() for part in found])),
            "recall": float(np.mean(recalls)),
            "cases": int(cold.sum()),
        }
    seen = ways["pictures"][0][cold]
    rows["pictures"] |= {"named": float((seen >= 0).mean()), "rightly": float((seen == category[cold]).mean())}
    return rows


def _ways(
    pictures: np.ndarray, category: np.ndarray, cold: np.ndarray, pairs: np.ndarray | None = None
) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    """By what is known of withheld products: the categories, -1 for none, and the vectors of pictures by a network that
    learned from the others and their ``pairs``."""
    from ecomrec_django.learning.images.model import embed, predict, train

    network = train(pictures[~cold], {"category": category[~cold]}, pairs)
    chances = predict(network, pictures)["category"]
    seen = np.where(chances.max(axis=1) >= SURE, chances.argmax(axis=1), -1)
    looks = embed(network, pictures)
    return {
        "nothing said": (np.where(cold, -1, category), None),
        "pictures": (np.where(cold, seen, category), looks),
        "category said": (category, None),
        "category said, pictures": (category, looks),
    }


def _planted_upgrades() -> dict[str, Row]:
    rng = np.random.default_rng(0)
    pictures, category, pattern = _drawn(rng)
    cold = (np.arange(len(category)) % PRODUCTS) < WITHHELD
    price = np.round(rng.uniform(5, 20, len(category)), 2)
    ratio = price[None, :] / price[:, None]
    same = (category[:, None] == category) & (pattern[:, None] == pattern)
    wanted = same & (ratio >= LOW) & (ratio <= HIGH)
    one, other = np.nonzero(np.triu(same & ~cold & ~cold[:, None], 1))
    drawn = rng.integers(0, len(one), SESSIONS)
    events = _events(np.stack([one[drawn], other[drawn]], axis=1), kind="view_item")
    place = np.cumsum(~cold) - 1
    pairs = np.stack([place[one], place[other]], axis=1)
    cases = np.flatnonzero(cold & wanted.any(axis=1))
    rows: dict[str, Row] = {}
    for name, (known, vectors) in _ways(pictures, category, cold, pairs).items():
        lists = UpgradeTo().make(
            TrainingData(engine=Engine(), events=events, items=_items(known, price), image_vectors=vectors)
        )
        found = []
        for case in cases.tolist():
            offered = _list(lists.by_item, case + 1)
            own = (np.empty(0, np.int64) if offered is None else offered[:FEW]) - 1
            found.append(wanted[case][own].sum() / min(FEW, wanted[case].sum()))
        rows[name] = {"recall": float(np.mean(found)), "cases": len(cases)}
    return rows


def _drawn(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures of PRODUCTS products of each shape, in colours and patterns by chance, and the numbers of both."""
    from ecomrec_django.learning.images.decoding import SIZE, decode_image
    from example_shop.loading.looks import NATURAL, PALETTES, PATTERNS, Look
    from example_shop.loading.pictures import draw
    from example_shop.loading.shapes import SHAPES

    pictures, category, pattern = [], [], []
    # What grows has no patterns, and too few looks.
    for number, shape in enumerate(sorted(SHAPES.keys() - NATURAL.keys())):
        # No look twice: a withheld picture must not have been seen.
        chosen = rng.permutation(PALETTES * PATTERNS)[:PRODUCTS]
        for look in chosen.tolist():
            pictures.append(decode_image(_file(draw(Look(shape, look % PALETTES, look // PALETTES))), SIZE))
            category.append(number)
            pattern.append(look // PALETTES)
    return np.stack(pictures), np.array(category), np.array(pattern)


def _file(image: Any) -> bytes:
    from io import BytesIO

    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _items(category: np.ndarray, price: np.ndarray | float = 10.0) -> Any:
    """Items of which nothing is said but a price and a category, -1 for none, that is an aisle too."""
    import pyarrow as pa

    size = len(category)
    columns = {
        "item": np.arange(size) + 1,
        "external_id": [str(number) for number in range(size)],
        "title": [""] * size,
        "description": [""] * size,
        "brand": [""] * size,
        "category": category + 1,
        "aisle": category + 1,
        "category_path": [""] * size,
        "price": np.full(size, price),
        "cost": np.full(size, np.nan),
        "rating": np.full(size, np.nan),
        "amount": np.full(size, np.nan),
        "unit": [""] * size,
        "attributes": [""] * size,
        "available": np.ones(size, bool),
        "active": np.ones(size, bool),
        "sellable": np.ones(size, bool),
    }
    return pa.table({name: pa.array(columns[name], schema(ITEMS).field(name).type) for name in ITEMS})


def _events(baskets: np.ndarray, kind: str = "purchase") -> Any:
    """A basket, or what was looked at together, a minute, each of another visitor."""
    import pyarrow as pa

    size = baskets.size
    basket = np.repeat(np.arange(len(baskets)), baskets.shape[1])
    columns = {
        "event": np.arange(1, size + 1),
        "visitor": basket + 1,
        "item": baskets.ravel() + 1,
        "kind": [kind] * size,
        "quantity": np.ones(size, np.int64),
        "price": np.full(size, 10.0),
        "cost": np.full(size, np.nan),
        "rating": np.full(size, np.nan),
        "time": np.datetime64("2026-01-01T00:00", "us") + basket.astype("timedelta64[m]"),
        "basket": [f"b{number}" if kind == "purchase" else "" for number in basket],
        "session": ["" if kind == "purchase" else f"s{number}" for number in basket],
        "component": np.zeros(size, bool),
    }
    types = schema(HISTORY)
    return pa.table({name: pa.array(columns[name]).cast(types.field(name).type, safe=False) for name in HISTORY})


def _offers(
    lists: StrategyLists, items: Any, anchors: np.ndarray, cold: np.ndarray, looks: np.ndarray | None = None
) -> list[np.ndarray]:
    """As a page shows them after a sync: the list of the most similar known item, or that of the category."""
    catalog = OfferTable.of(items)
    own = {int(owner) for owner in lists.by_item.owners}
    known = ~cold & np.isin(catalog.ids, list(own))
    found = nearest_in_need(items, catalog.price, catalog.need, cold, known, looks)
    twin = dict(zip(found[0].tolist(), found[1].tolist(), strict=True))
    by_item = partial(_list, lists.by_item)
    offers = []
    for anchor in anchors.tolist():
        owner = int(catalog.ids[twin.get(anchor, anchor)])
        offered = by_item(owner)
        if offered is None and catalog.need[anchor] >= 0:
            offered = _list(lists.by_category, int(catalog.categories[catalog.need[anchor]]))
        offers.append(np.searchsorted(catalog.ids, catalog.ids[:0] if offered is None else offered))
    return offers


def _list(lists: Any, owner: int) -> np.ndarray | None:
    (rows,) = np.nonzero(lists.owners == owner)
    return lists.items[lists.starts[rows[0]] : lists.starts[rows[0] + 1]] if len(rows) else None


def _silent(items: Any, cold: np.ndarray) -> Any:
    """The same items without the texts of those withheld."""
    for name in ("title", "brand", "category_path"):
        said = np.where(cold, "", items[name].to_numpy(zero_copy_only=False))
        items = items.set_column(items.schema.get_field_index(name), name, [said.tolist()])
    return items


def _journey() -> dict[str, Row]:
    trial = load(0.9)
    anchors = np.unique(trial.anchors)
    withheld = np.sort(np.random.default_rng(0).permutation(anchors)[: len(anchors) // 10])
    cold = np.isin(np.arange(len(trial.sales)), withheld)
    cases = np.flatnonzero(cold[trial.anchors])
    targets = [trial.targets[at] for at in cases]
    gone = trial.lines.product_id.isin(trial.products.index[cold])
    items = items_table(trial)
    plain = _silent(items, cold)
    for name in ("category", "aisle"):
        said = np.where(cold, 0, plain[name].to_numpy())
        plain = plain.set_column(plain.schema.get_field_index(name), name, [said])
    rows: dict[str, Row] = {}
    for name, table, lines, unknown in (
        ("nothing said", plain, trial.lines[~gone], cold),
        ("content", items, trial.lines[~gone], cold),
        ("known, not withheld", items, trial.lines, np.zeros_like(cold)),
    ):
        lists = BoughtWith().make(TrainingData(engine=Engine(), events=history_table(lines), items=table))
        offers = [each[:K] for each in _offers(lists, table, trial.anchors[cases], unknown)]
        scores = evaluate(offers, targets, trial.sales, K)
        seen = [
            np.isin(np.unique(trial.category[wanted]), trial.category[each]).mean()
            for wanted, each in zip(targets, offers, strict=True)
        ]
        rows[name] = {"category_recall": float(np.mean(seen)), **scores.row(), "cases": len(cases)}
    return rows


def _journey_upgrades() -> dict[str, Row]:
    trial = upgrade.Trial.of(0.9)
    anchors = np.unique(trial.cases.anchor)
    withheld = np.sort(np.random.default_rng(0).permutation(anchors)[: len(anchors) // 10])
    cases = trial.cases[np.isin(trial.cases.anchor, withheld)]
    gone = trial.lines.product_id.isin(trial.ids[withheld])
    items = trial.data.items
    plain = _silent(items, np.isin(np.arange(len(trial.ids)), withheld))
    rows: dict[str, Row] = {}
    for name, table, lines in (
        ("type said", plain, trial.lines[~gone]),
        ("content", items, trial.lines[~gone]),
        ("known, not withheld", items, trial.lines),
    ):
        lists = UpgradeTo().make(TrainingData(engine=Engine(), events=history_table(lines), items=table)).by_item
        offered = {int(pk): _list(lists, int(pk)) for pk in trial.ids[withheld]}
        found = [
            wanted in (() if own is None else own[:FEW])
            for wanted, own in zip(trial.ids[cases.target], map(offered.get, trial.ids[cases.anchor]), strict=True)
        ]
        rows[name] = {"recall": float(np.mean(found)), "cases": len(cases)}
    return rows
