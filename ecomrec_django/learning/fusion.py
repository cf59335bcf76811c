"""One ranker over all signals: boosted trees fitted on held-out baskets, and a dial from popularity to discovery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..errors import DataError, TrainingError
from .facts import Facts
from .past import DAY, Past
from .shoppers import Shopper
from .signals import ANCHORED, NAMES, candidates, signals
from .trees import Trees

if TYPE_CHECKING:
    from .interactions import Interactions

TREES = 200
LEARNING_RATE = 0.08
LEAVES = 15
# A leaf stands on one in so many candidates at least, but on no more than MAX_LEAF.
LEAF_SHARE, MIN_LEAF, MAX_LEAF = 2_000, 20, 1_000
# Of the candidates that were not bought, so many are learned from, at 1 / KEPT of the weight each.
KEPT = 0.15
# Cases learned from per slice.
MAX_CASES = 20_000
# Parts of the baskets that are held back: to say how many trees are enough, and to calibrate and judge them.
TO_STOP, TO_CALIBRATE = 0.1, 0.1
LEARN, STOP, CALIBRATE = range(3)
MIN_CASES = 50
# Scores are divided by this power of an item's baskets at a dial of 1. Past it, on a validation slice, the dial no
# longer trades hits for recall that weighs 1/√popularity: it loses both.
DISCOVERY = 0.4


@dataclass(frozen=True)
class Cases:
    """What shoppers with an anchor in a basket also bought; a row per (basket, anchor), or per basket without anchors.

    shopper: place in a list of shoppers, -1 for one unknown · anchor: item number, -1 for none · day: days since 1970 ·
    basket: its number, whose cases are held back together · targets: item numbers, of other aisles than the anchor's,
    one array per row.
    """

    shopper: np.ndarray
    anchor: np.ndarray
    day: np.ndarray
    basket: np.ndarray
    targets: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.anchor)

    def where(self, rows: np.ndarray) -> Cases:
        """The cases of some row numbers."""
        return Cases(
            self.shopper[rows], self.anchor[rows], self.day[rows], self.basket[rows], [self.targets[at] for at in rows]
        )

    @classmethod
    def of(cls, purchases: Interactions, shopper: np.ndarray, aisle: np.ndarray | None) -> Cases:
        """All of the purchases that follow the training's; ``shopper`` maps their visitor numbers to places, or -1.

        Anchors without a target are left out. With ``aisle`` None: whole baskets, without an anchor.
        """
        order = np.lexsort((np.arange(len(purchases)), purchases.basket))
        rows: list[tuple[int, int, float, int]] = []
        targets: list[np.ndarray] = []
        for part in np.split(order, np.flatnonzero(np.diff(purchases.basket[order])) + 1):
            if not len(part):
                continue
            _, first = np.unique(purchases.item[part], return_index=True)
            items = purchases.item[part][np.sort(first)]
            visitor = purchases.visitor[part[0]]
            place = int(shopper[visitor]) if visitor >= 0 else -1
            day, basket = purchases.time[part[0]] / DAY, int(purchases.basket[part[0]])
            for anchor in items if aisle is not None else (-1,):
                wanted = items if aisle is None else items[aisle[items] != aisle[anchor]]
                if len(wanted):
                    rows.append((place, int(anchor), day, basket))
                    targets.append(wanted)
        columns = np.array(rows, np.float64).reshape(-1, 4).T
        places, anchors, baskets = (columns[at].astype(np.int64) for at in (0, 1, 3))
        return cls(places, anchors, columns[2], baskets, targets)


class Shoppers(Protocol):
    """Shoppers by their places."""

    def __getitem__(self, place: int, /) -> Shopper: ...


@dataclass(frozen=True)
class Slice:
    """``cases`` that came after all that ``facts`` and ``shoppers`` know; ``nominate`` gives a case's candidates."""

    cases: Cases
    facts: Facts
    shoppers: Shoppers
    nominate: Callable[[Facts, Shopper, Sequence[int]], np.ndarray] = candidates


@dataclass(frozen=True)
class Ranker:
    """Boosted trees over ``names``, calibrated: the chance is 1 / (1 + exp(-(slope·raw + offset))).

    skill: 1 - log loss / log loss of the mere share of bought candidates, on baskets held back; 0 and less: nothing was
    learned.
    """

    trees: Trees
    slope: float
    offset: float
    skill: float
    names: tuple[str, ...] = NAMES

    def asks(self, names: Sequence[str]) -> bool:
        """Whether any of the signals ``names`` counts."""
        return bool(np.isin(self.trees.signal, [self.names.index(name) for name in names]).any())

    @property
    def useful(self) -> bool:
        """Whether anything was learned."""
        return self.skill > 0

    def chances(self, matrix: np.ndarray, within: np.ndarray | None = None) -> np.ndarray:
        """The chance of each row of `signals` to be bought, 0…1, shape (rows,); ``within``: of `without_anchor`."""
        raw = self.trees.raw(matrix, within, 0 if within is None else ANCHORED)
        return 1 / (1 + np.exp(-(self.slope * raw + self.offset)))

    def without_anchor(self, matrix: np.ndarray) -> np.ndarray:
        """What the signals of the shopper and the items alone say, for `chances` beside each of several anchors."""
        return self.trees.within(matrix, ANCHORED)

    def contributions(self, matrix: np.ndarray) -> np.ndarray:
        """What each of ``names`` added to the log-odds, shape (rows, names)."""
        return self.slope * self.trees.contributions(matrix)


def turned(chances: np.ndarray, baskets: np.ndarray, dial: float) -> np.ndarray:
    """Scores at a ``dial`` from 0, most hits, to 1, most of what few others buy: chance / baskets^(DISCOVERY·dial)."""
    if not 0 <= dial <= 1:
        raise DataError(f"The dial lies from 0 (popular) to 1 (discovery), not at {dial}.")
    return chances * np.maximum(baskets, 1.0) ** (-DISCOVERY * dial)


@dataclass(frozen=True)
class Ranked:
    """Items best first (ties by number) and their chances; ``order``: their places in ``matrix``, which holds the
    `signals` beside the first anchor."""

    items: np.ndarray
    chances: np.ndarray
    order: np.ndarray
    matrix: np.ndarray

    def signals(self, most: int) -> np.ndarray:
        """Of the best ``most`` items, shape (items, NAMES)."""
        return self.matrix[self.order[:most]]


def ranked(
    ranker: Ranker,
    facts: Facts,
    shopper: Shopper,
    anchors: Sequence[int],
    day: float,
    dial: float,
    items: np.ndarray | None = None,
) -> Ranked:
    """``items`` (all `candidates` if None) ranked beside the anchors: by their mean chance, turned by the ``dial``."""
    if items is None:
        items = candidates(facts, shopper, anchors)
    matrix = signals(facts, shopper, anchors, day, items)
    within = ranker.without_anchor(matrix[0]) if len(matrix) > 1 else None
    chances = np.mean([ranker.chances(beside, within) for beside in matrix], axis=0)
    best = np.lexsort((items, -turned(chances, facts.baskets[items], dial)))
    return Ranked(items[best], chances[best], best, matrix[0])


@dataclass(frozen=True)
class Sample:
    """What a ranker is fitted on: signals of candidates, whether they were bought, their weights; shape (rows, …).

    part: what each row is for, one of LEARN, STOP and CALIBRATE; those of a basket are for the same · cases: how many
    were drawn.
    """

    matrix: np.ndarray
    bought: np.ndarray
    weight: np.ndarray
    part: np.ndarray
    cases: int


def sample(
    one: Slice,
    seed: int = 0,
    most: int = MAX_CASES,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Sample:
    """Signals of what was bought and of a share KEPT of what was not, in at most ``most`` cases drawn by ``seed``."""
    rng = np.random.default_rng(seed)
    cases = one.cases.where(np.sort(rng.permutation(len(one.cases))[:most]))
    baskets, basket = np.unique(cases.basket, return_inverse=True)
    place = rng.permutation(len(baskets))
    stops, calibrates = (int(np.ceil(len(baskets) * share)) for share in (TO_STOP, TO_CALIBRATE))
    part = np.select([place < stops, place < stops + calibrates], [STOP, CALIBRATE], LEARN)[basket]
    matrices, bought, rows = [np.empty((0, len(NAMES)), np.float32)], [np.empty(0, bool)], []
    facts, nobody = one.facts, unknown(one.facts)
    for row, (who, anchor, day) in enumerate(zip(cases.shopper, cases.anchor, cases.day, strict=True)):
        shopper = one.shoppers[who] if who >= 0 else nobody
        anchors = [int(anchor)] if anchor >= 0 else []
        items = one.nominate(facts, shopper, anchors)
        wanted = np.isin(items, cases.targets[row])
        kept = wanted | (rng.random(len(items)) < KEPT)
        matrices.append(signals(facts, shopper, anchors, float(day), items[kept])[0])
        bought.append(wanted[kept])
        rows.append(int(kept.sum()))
        progress(row + 1, len(cases))
    known = np.concatenate(bought)
    weight = np.where(known, 1.0, 1 / KEPT)
    return Sample(np.concatenate(matrices), known, weight, np.repeat(part, rows), len(cases))


def fit(samples: Sequence[Sample], seed: int = 0, without: Sequence[str] = ()) -> Ranker:
    """Fit on one sample or more: those of several slices of time teach what lasts; the signals ``without`` are not
    looked at.

    Raises TrainingError where there are fewer than MIN_CASES in all, or in them nothing that was bought or nothing that
    was not.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    total = sum(one.cases for one in samples)
    if total < MIN_CASES:
        raise TrainingError(f"A ranker needs {MIN_CASES} cases in held-out baskets, not {total}: wait for more.")
    columns = [np.concatenate([getattr(one, name) for one in samples]) for name in ("matrix", "bought", "weight")]
    part = np.concatenate([one.part for one in samples])
    parts = [tuple(column[part == which] for column in columns) for which in (LEARN, STOP, CALIBRATE)]
    if any(bought.all() or not bought.any() for _, bought, _ in parts):
        raise TrainingError("Held-out baskets with none or with all of their candidates teach no ranking.")
    matrix, bought, weight = parts[LEARN]
    model = HistGradientBoostingClassifier(
        max_iter=TREES,
        learning_rate=LEARNING_RATE,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=int(np.clip(len(bought) // LEAF_SHARE, MIN_LEAF, MAX_LEAF)),
        early_stopping=False,
        random_state=seed,
    )
    # What is nowhere known, such as views in a shop that has none yet, cannot be cut into bins.
    known = np.flatnonzero(~np.isnan(matrix).all(axis=0) & ~np.isin(NAMES, without))
    # On a machine that has other work as well, threads that wait for each other take many times as long as one.
    with threadpool_limits(1):
        model.fit(matrix[:, known], bought, weight)
        trees = Trees.of(_stopped(model, known, *parts[STOP]), known)
    matrix, bought, weight = parts[CALIBRATE]
    raw = trees.raw(matrix)
    calibration = LogisticRegression(C=1e6).fit(raw[:, None], bought, weight)
    # A slope below 0 would turn the order round: such trees have learned noise.
    slope = max(float(calibration.coef_[0, 0]), 0.0)
    ranker = Ranker(trees, slope, float(calibration.intercept_[0]), 0.0)
    share = float(np.average(bought, weights=weight))
    skill = 1 - _log_loss(_sigmoid(raw), bought, weight) / _log_loss(np.full(len(bought), share), bought, weight)
    return Ranker(trees, slope, ranker.offset, skill)


def _stopped(model: Any, known: np.ndarray, matrix: np.ndarray, bought: np.ndarray, weight: np.ndarray) -> Any:
    """The model without the trees past those that foretell the given rows best: they have learned others by heart."""
    losses = [_log_loss(_sigmoid(raw), bought, weight) for raw in model.staged_decision_function(matrix[:, known])]
    del model._predictors[int(np.argmin(losses)) + 1 :]
    return model


def unknown(facts: Facts) -> Shopper:
    """A shopper of whom nothing is known."""
    return Shopper.of(Past.empty(), facts)


def _sigmoid(raw: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-raw))


def _log_loss(chances: np.ndarray, bought: np.ndarray, weight: np.ndarray) -> float:
    return float(-np.average(np.log(np.where(bought, chances, 1 - chances)), weights=weight))
