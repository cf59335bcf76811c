"""A shop of drawn items and shoppers for `personal`: what a training would have learned, stored as it stores that.

Nothing in it was bought by anybody. Sizes are those of real shops, and rankers are fitted on real signals by an answer
that follows from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from ecomrec_django.learning.interactions import DAY, KINDS, IdMap
from ecomrec_django.learning.ranker_training.fitting import (
    LEAF_SHARE,
    LEARNING_RATE,
    LEAVES,
    MIN_LEAF,
    NEGATIVE_SHARE,
    TREES,
)
from ecomrec_django.learning.ranking.features import FEATURE_NAMES, candidate_items, feature_matrix
from ecomrec_django.learning.ranking.interests import InterestWeights
from ecomrec_django.learning.ranking.item_features import ItemFeatures
from ecomrec_django.learning.ranking.model import IdIndex, Model
from ecomrec_django.learning.ranking.ranker import Ranker
from ecomrec_django.learning.ranking.shopper_features import ShopperFeatures, top_scored
from ecomrec_django.learning.ranking.shopper_history import PURCHASE, ShopperHistory
from ecomrec_django.learning.sparse import SparseRows

from ._catalog_rows import CategoryRow, write_categories, write_products

AISLES, BRANDS, SEGMENTS = 303, 1_000, 9
# Items of one need.
NEED = 40
PAIRS, SIMILAR_ITEMS, CO_VIEWED, AISLE_ITEMS, NEED_ITEMS = 100, 60, 50, 2_000, 400
FEATURES, WORDS = 2**18, 25
# Means of a shopper's history: purchase lines in all and per basket, other events, what neighbours like.
LINES, BASKET, ACTS, LIKED = 60, 8, 30, 100
# Different histories, of which every visitor has one.
HISTORIES = 20_000
# Visitors who are in the shop now: their events are in the database, and so many more since the training.
VISITING, SINCE = 10_000, 5
# Shoppers whose candidates a ranker is fitted on.
# Rankers, by the anchors that their offers stand beside.
TASKS = (("bought_with", 1), ("for_you", 0), ("upgrade_to", 1))
FITTED = 800
# The training ended so many days ago.
AGE = 0.3
LIST = 20
_ACTS = np.array([KINDS.index(kind) for kind in ("view_item", "view_item", "view_item", "add_to_cart", "select_item")])


@dataclass(frozen=True)
class Shop:
    """``until``: seconds since 1970 at which the training ended."""

    item_features: ItemFeatures
    until: float

    @classmethod
    def of(cls, items: int, until: float) -> Shop:
        rng = np.random.default_rng(0)
        needs = max(items // NEED, AISLES)
        need = rng.integers(0, needs, items)
        aisle = need % AISLES
        # A few items make most of the sales.
        baskets = np.ceil(2e5 / (10 + rng.permutation(items)) ** 0.8) + 5
        sold = _Sold(rng, baskets)
        pairs = sold.rows(items, min(PAIRS, items // 2), lambda rows, columns: _together(rng, baskets, rows, columns))
        total = baskets.sum() / BASKET
        level = rng.lognormal(2.0, 0.8, needs)

        def share(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
            return rng.beta(1, 12, len(rows))

        item_features = ItemFeatures(
            aisle=aisle,
            need=need,
            baskets=baskets,
            recent_baskets=baskets * rng.uniform(0.02, 0.06, items),
            total_baskets=total,
            recent_total=total * 0.04,
            price=np.round(level[need] * rng.uniform(0.5, 2.0, items), 2) + 0.5,
            pairs=pairs,
            aisle_pairs=sold.rows(AISLES, AISLE_ITEMS, share),
            need_pairs=_Sold(rng, np.ones(needs)).rows(needs, 500, share),
            need_items=sold.rows(needs, NEED_ITEMS, share),
            similar_items=sold.rows(items, SIMILAR_ITEMS, share),
            repeat_rate=rng.uniform(0, 0.6, needs),
            cycle=rng.uniform(5, 90, needs),
            repeats=rng.random(needs) < 0.7,
            item_repeat_rate=rng.uniform(0, 0.6, items),
            basket_size=rng.uniform(5, 20, items),
            bestsellers=np.argsort(-baskets, kind="stable")[:200],
            brand=rng.integers(0, BRANDS, items),
            offered=np.ones(items, bool),
            co_viewed=sold.rows(items, CO_VIEWED, share),
            content=_Sold(rng, 1 / (1.0 + np.arange(FEATURES))).rows(
                items, WORDS, lambda rows, columns: share(rows, columns) + 0.1
            ),
            segment_popularity=_Sold(rng, np.ones(items)).rows(
                SEGMENTS, items, lambda rows, columns: rng.normal(0, 0.5, len(rows))
            ),
            interest_weights=InterestWeights(),
        )
        return cls(item_features, until)

    @property
    def items(self) -> int:
        return len(self.item_features.need)

    @property
    def needs(self) -> np.ndarray:
        """Category.pk of each item: those of aisles come first."""
        return AISLES + 1 + self.item_features.need

    @property
    def aisles(self) -> np.ndarray:
        return 1 + self.item_features.aisle

    def model(self, histories: list[ShopperHistory]) -> Model:
        """With rankers fitted on the candidates of some ``histories``."""
        ids = np.arange(1, self.items + 1)
        rankers = {task: self._ranker(histories, anchors) for task, anchors in TASKS}
        names = IdIndex.of([*map(str, ids.tolist())])
        return Model(
            ids=IdMap(ids),
            external_ids=names,
            needs=self.needs,
            aisles=self.aisles,
            item_features=self.item_features,
            rankers=rankers,
            newest=self.until / DAY,
            until=self.until,
            image_vectors=np.zeros((len(ids), 0), np.float16),
        )

    def _ranker(self, histories: list[ShopperHistory], anchors: int) -> Ranker:
        from sklearn.ensemble import HistGradientBoostingClassifier

        from ecomrec_django.learning.ranking.trees import Trees

        rng = np.random.default_rng(2)
        matrices = []
        for history in tqdm(histories[:FITTED], "features", disable=None):
            shopper = ShopperFeatures.of(history, self.item_features)
            beside = rng.choice(self.item_features.bestsellers, anchors).tolist()
            items = candidate_items(self.item_features, shopper, beside)
            items = items[rng.random(len(items)) < NEGATIVE_SHARE]
            matrices.append(feature_matrix(self.item_features, shopper, beside, self.until / DAY + AGE, items)[0])
        matrix = np.concatenate(matrices)
        bought = rng.random(len(matrix)) < _probability(matrix)
        model = HistGradientBoostingClassifier(
            max_iter=TREES,
            learning_rate=LEARNING_RATE,
            max_leaf_nodes=LEAVES,
            min_samples_leaf=max(len(bought) // LEAF_SHARE, MIN_LEAF),
            early_stopping=False,
            random_state=0,
        )
        known = np.flatnonzero(~np.isnan(matrix).all(axis=0))
        return Ranker(trees=Trees.of(model.fit(matrix[:, known], bought), known), slope=1.0, offset=0.0, skill=0.1)

    def histories(self, many: int) -> Iterator[ShopperHistory]:
        """Histories by item number: lines from favourites bought again and again, acts, and what neighbours like."""
        rng = np.random.default_rng(1)
        sold = _Sold(rng, self.item_features.baskets)
        newest = self.until / DAY
        for _ in range(many):
            lines = rng.geometric(1 / LINES)
            own = sold.draw(max(lines // 2, 1))
            item = own[(len(own) * rng.random(lines) ** 2).astype(np.int64)]
            basket = np.sort(rng.integers(0, 1 + lines // BASKET, lines))
            # The latest of at most two years, oldest first.
            days = newest - np.sort(rng.exponential(150, lines // BASKET + 1).clip(0.1, 730))[::-1]
            acts, liked = rng.geometric(1 / ACTS), np.unique(sold.draw(min(rng.geometric(1 / LIKED), 300)))
            yield ShopperHistory.of(
                np.r_[item, sold.draw(acts)],
                np.r_[np.full(lines, PURCHASE), rng.choice(_ACTS, acts)].astype(np.int8),
                np.r_[days[basket], newest - rng.exponential(10, acts).clip(0.01, 180)],
                np.r_[basket, np.full(acts, -1)],
                np.full(lines + acts, np.nan),
                (liked, rng.beta(1, 30, len(liked))),
                int(rng.integers(0, SEGMENTS)),
            )


@dataclass(frozen=True)
class _Sold:
    """Draws things by ``weight``, shape (things,)."""

    rng: np.random.Generator
    weight: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "reach", np.cumsum(self.weight) / self.weight.sum())

    def draw(self, many: int) -> np.ndarray:
        return np.searchsorted(self.reach, self.rng.random(many)).clip(max=len(self.weight) - 1)  # type: ignore[attr-defined]

    def rows(self, rows: int, each: int, values: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> SparseRows:
        """So many columns per row: half by weight, and half not far from the row's own place."""
        things = len(self.weight)
        if each >= things:
            columns = np.tile(np.arange(things), (rows, 1))
        else:
            # Twice drawn is once there, so a few more are.
            half = each * 11 // 20
            place = (np.arange(rows) * things // rows)[:, None]
            near = (place + self.rng.normal(0, 3 * each, (rows, half)).astype(np.int64)) % things
            columns = np.sort(np.concatenate([self.draw(rows * half).reshape(rows, half), near], axis=1), axis=1)
        fresh = np.diff(columns, axis=1, prepend=-1) != 0
        starts = np.concatenate([[0], np.cumsum(fresh.sum(axis=1))])
        row, column = np.nonzero(fresh)[0], columns[fresh]
        return SparseRows(starts, column.astype(np.int32), values(row, column).astype(np.float32))


def _together(rng: np.random.Generator, baskets: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return np.minimum(2 + rng.geometric(0.05, len(rows)), np.minimum(baskets[rows], baskets[columns]))


def _probability(matrix: np.ndarray) -> np.ndarray:
    """Chances that many signals decide, some of them only together."""
    known = {name: np.nan_to_num(matrix[:, column]) for column, name in enumerate(FEATURE_NAMES)}
    raw = (
        -6.0
        + 0.2 * known["popularity"]
        + 1.2 * np.log1p(known["own_baskets"])
        + 3.0 * known["own_recent_45"]
        + np.minimum(known["due"], 2.0) * (known["own_baskets"] > 1)
        + 4.0 * known["probability"]
        + 3.0 * known["own_with_anchor_share"]
        + 4.0 * known["neighbour_taste"] * (known["trend"] > -0.2)
        + known["viewed"] * (1.0 + 3.0 * known["content_similarity"])
        + 2.0 * known["need_interest"]
        - 0.5 * known["price_fit"]
    )
    return 1 / (1 + np.exp(-raw))


def fill(shop: Shop, visitors: int, folder: Any) -> None:
    """All rows, and the model under ``folder``; the publication comes last."""
    from django.db import connection, transaction

    from ecomrec_django.learning.ranking.model import store
    from ecomrec_django.models import Category, Item, OfferList, Profile, Publication, Release, TrainingRun, Visitor
    from example_shop.models import Product

    many = min(HISTORIES, visitors)
    histories = list(tqdm(shop.histories(many), "histories", many, disable=None))
    with transaction.atomic():
        _goods(shop)
        release = Release.objects.create(run=TrainingRun.objects.create(status="done"), complete=True)
        _lists(shop, release.pk)
    _visitors(shop, histories, visitors)
    release.digest = store(shop.model(histories), folder(release.pk))
    release.save()
    if connection.vendor == "mysql":
        with connection.cursor() as cursor:
            for model in (Category, Item, OfferList, Product, Profile, Visitor):
                cursor.execute(f"ANALYZE TABLE {model._meta.db_table}")
                cursor.fetchall()
    Publication.objects.create(pk=Publication.CURRENT, release=release)


def _goods(shop: Shop) -> None:

    from example_shop.models import Category as ShopCategory

    names = [(n + 1, f"aisle {n}", None) for n in range(AISLES)]
    names += [(AISLES + 1 + n, f"need {n}", n % AISLES + 1) for n in range(len(shop.item_features.repeat_rate))]
    write_categories(CategoryRow(pk, name, above, above or pk) for pk, name, above in names)
    ShopCategory.objects.bulk_create(
        ShopCategory(pk=pk, name=name, slug=name.replace(" ", "-"), parent_id=above) for pk, name, above in names
    )
    prices = (f"{price:.2f}" for price in shop.item_features.price.tolist())
    write_products(zip(range(1, shop.items + 1), shop.needs.tolist(), prices, strict=True))


def _lists(shop: Shop, release: int) -> None:
    from ecomrec_django.db import bulk_insert, chunks
    from ecomrec_django.models import OfferList
    from ecomrec_django.strategies.base import Offer, Reason, encode_offers

    item_features, aisles = shop.item_features, shop.aisles.tolist()
    order = np.lexsort((item_features.price, item_features.need))
    place = np.empty(shop.items, np.int64)
    place[order] = np.arange(shop.items)

    def beside(item: int) -> list[Offer]:
        best = top_scored(item_features.pairs.row(item), 2 * LIST)
        best = best[item_features.aisle[best] != item_features.aisle[item]][:LIST].tolist()
        return [
            Offer(
                item=str(n + 1),
                score=1 / rank,
                reason=Reason.TOGETHER,
                aisle=aisles[n],
                evidence=(14, 12, 3.4, 2.5, 20.5, 0.1),
            )
            for rank, n in enumerate(best, 1)
        ]

    def above(item: int) -> list[Offer]:
        pricier = order[place[item] + 1 : place[item] + 1 + 2 * LIST]
        ratio = item_features.price[pricier] / item_features.price[item]
        kept = (item_features.need[pricier] == item_features.need[item]) & (ratio > 1.06) & (ratio < 1.79)
        return [
            Offer(
                item=str(n + 1),
                score=1 / rank,
                reason=Reason.UPGRADE,
                aisle=aisles[n],
                evidence=(one, 1.05, 1.8, 0.4, 3),
            )
            for rank, (n, one) in enumerate(zip(pricier[kept][:LIST].tolist(), ratio[kept].tolist(), strict=False), 1)
        ]

    for some in tqdm([*chunks(range(shop.items))], "lists", disable=None):
        rows = [(release, "bought_with", n + 1, encode_offers(beside(n))) for n in some]
        rows += [(release, "upgrade_to", n + 1, encode_offers(above(n))) for n in some]
        bulk_insert(OfferList, ("release", "strategy", "anchor", "offers"), rows)
    popular = [
        Offer(item=str(n + 1), score=1 / (1 + n), reason=Reason.POPULAR, aisle=aisles[n], evidence=(None,))
        for n in item_features.bestsellers[:LIST].tolist()
    ]
    OfferList.objects.create(release_id=release, strategy="for_you", offers=encode_offers(popular))


def token_of(visitor: int) -> str:
    """What the visitor's cookie holds."""
    return f"{visitor:032d}"


def visiting(visitors: int) -> np.ndarray:
    """Visitor.pk of those in the shop now."""
    return np.sort(np.random.default_rng(3).permutation(visitors)[:VISITING] + 1)


def _visitors(shop: Shop, histories: list[ShopperHistory], visitors: int) -> None:
    from datetime import UTC, datetime

    from django.db import transaction
    from django.utils import timezone

    from ecomrec_django.db import DriverValues, bulk_insert, chunks
    from ecomrec_django.models import Event, Profile, Visitor
    from ecomrec_django.tracking.visitors import token_key

    ids = np.arange(1, shop.items + 1)
    by_pk = [history.to_ids(ids) for history in histories]
    packed = [history.to_bytes() for history in by_pk]
    print(
        f"profiles of {np.mean([*map(len, packed)]):.0f} bytes on average, {max(map(len, packed))} at most", flush=True
    )
    time = DriverValues(Event).time
    now, until = time(timezone.now()), time(datetime.fromtimestamp(shop.until, UTC))
    with tqdm(total=visitors, desc="profiles", disable=None) as bar:
        for some in chunks(range(1, visitors + 1), 20_000):
            with transaction.atomic():
                bulk_insert(Visitor, ("id", "key", "created"), [(n, token_key(token_of(n)), now) for n in some])
                rows = [(n, packed[n % len(packed)], until) for n in some]
                bulk_insert(Profile, ("visitor", "history", "until"), rows)
            bar.update(len(some))
    fields = ("kind", "visitor", "item", "time", "quantity", "basket", "session", "policy")
    rng = np.random.default_rng(4)
    for some in tqdm([*chunks(visiting(visitors).tolist(), 1_000)], "events", disable=None):
        rows = []
        for n in some:
            past = by_pk[n % len(by_pk)]
            seconds, baskets = np.round(past.day * DAY).tolist(), past.basket.tolist()
            for item, kind, second, basket in zip(
                past.item.tolist(), past.kind.tolist(), seconds, baskets, strict=True
            ):
                order = f"{n}-{basket}" if basket >= 0 else ""
                rows.append((KINDS[kind], n, item, time(datetime.fromtimestamp(second, UTC)), 1, order, "", ""))
            seconds = np.round(shop.until + DAY * AGE * np.sort(rng.random(SINCE))).tolist()
            for item, second in zip(rng.integers(1, shop.items + 1, SINCE).tolist(), seconds, strict=True):
                rows.append(("view_item", n, item, time(datetime.fromtimestamp(second, UTC)), 1, "", "", "1"))
        with transaction.atomic():
            bulk_insert(Event, fields, rows)
