"""Fit a ranker on held-out baskets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import TrainingError
from ..boosted_trees import fit_binned
from ..progress import Progress, no_progress
from ..ranking.features import FEATURE_NAMES, feature_matrix
from ..ranking.ranker import Ranker, unknown_shopper
from ..ranking.trees import Trees
from ..types import BoolArray, FloatArray, IntArray
from .cases import EvaluationSlice

TREES = 200
LEARNING_RATE = 0.08
LEAVES = 15
# Minimum rows of a leaf: one in LEAF_SHARE rows, between MIN_LEAF and MAX_LEAF.
LEAF_SHARE, MIN_LEAF, MAX_LEAF = 2_000, 20, 1_000
# Share of unbought candidates that is sampled, each with a weight of 1 / NEGATIVE_SHARE.
NEGATIVE_SHARE = 0.15
# Cases sampled per slice.
MAX_CASES = 20_000
# Shares of the baskets that are held out for early stopping, and for calibration and measurement.
STOPPING_SHARE, CALIBRATION_SHARE = 0.1, 0.1
LEARN, STOP, CALIBRATE = range(3)
MIN_CASES = 50


@dataclass(frozen=True, kw_only=True)
class TrainingSample:
    """The data of a ranker, one row per case and candidate.

    matrix: `feature_matrix`, float32, shape (rows, features)
    bought: whether the candidate was bought, shape (rows,)
    weight: weight of the row, float64, shape (rows,)
    part: purpose of the row, one of LEARN, STOP and CALIBRATE, the same for all rows of a basket; shape (rows,)
    cases: number of sampled cases
    """

    matrix: FloatArray
    bought: BoolArray
    weight: FloatArray
    part: IntArray
    cases: int


def draw_training_sample(
    evaluation_slice: EvaluationSlice, seed: int = 0, max_cases: int = MAX_CASES, progress: Progress = no_progress
) -> TrainingSample:
    """Bought candidates, and NEGATIVE_SHARE of the others, of at most ``max_cases`` cases sampled by ``seed``."""
    rng = np.random.default_rng(seed)
    evaluation_slice = evaluation_slice.where(np.sort(rng.permutation(len(evaluation_slice.cases))[:max_cases]))
    cases = evaluation_slice.cases
    baskets, basket = np.unique(cases.basket, return_inverse=True)
    rank = rng.permutation(len(baskets))
    stopping, calibrating = (int(np.ceil(len(baskets) * share)) for share in (STOPPING_SHARE, CALIBRATION_SHARE))
    part = np.select([rank < stopping, rank < stopping + calibrating], [STOP, CALIBRATE], LEARN)[basket]
    matrices, bought, rows = [np.empty((0, len(FEATURE_NAMES)), np.float32)], [np.empty(0, bool)], []
    item_features = evaluation_slice.item_features
    unknown = unknown_shopper(item_features)
    for case, (position, anchor, day) in enumerate(zip(cases.shopper, cases.anchor, cases.day, strict=True)):
        shopper = evaluation_slice.shoppers[position] if position >= 0 else unknown
        anchors = [int(anchor)] if anchor >= 0 else []
        items = evaluation_slice.candidates(item_features, shopper, anchors)
        target = np.isin(items, cases.targets[case])
        sampled = target | (rng.random(len(items)) < NEGATIVE_SHARE)
        matrices.append(feature_matrix(item_features, shopper, anchors, float(day), items[sampled])[0])
        bought.append(target[sampled])
        rows.append(int(sampled.sum()))
        progress(case + 1, len(cases))
    label = np.concatenate(bought)
    return TrainingSample(
        matrix=np.concatenate(matrices),
        bought=label,
        weight=np.where(label, 1.0, 1 / NEGATIVE_SHARE),
        part=np.repeat(part, rows),
        cases=len(cases),
    )


def fit_ranker(samples: Sequence[TrainingSample], seed: int = 0, without: Sequence[str] = ()) -> Ranker:
    """Fit a ranker on one or more samples; samples of several slices of time make it more robust.

    without: names of features to ignore.
    Raises TrainingError if there are fewer than MIN_CASES cases, or if all or none of their candidates were bought.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    total = sum(sample.cases for sample in samples)
    if total < MIN_CASES:
        raise TrainingError(
            f"A ranker needs {MIN_CASES} cases in held-out baskets, but there are {total}. Wait for more orders."
        )
    columns = [np.concatenate([getattr(sample, name) for sample in samples]) for name in ("matrix", "bought", "weight")]
    part = np.concatenate([sample.part for sample in samples])
    parts = [tuple(column[part == purpose] for column in columns) for purpose in (LEARN, STOP, CALIBRATE)]
    if any(bought.all() or not bought.any() for _, bought, _ in parts):
        raise TrainingError("No ranking can be learned: all or none of the candidates in held-out baskets were bought.")
    matrix, bought, weight = parts[LEARN]
    model = HistGradientBoostingClassifier(
        max_iter=TREES,
        learning_rate=LEARNING_RATE,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=int(np.clip(len(bought) // LEAF_SHARE, MIN_LEAF, MAX_LEAF)),
        early_stopping=False,
        random_state=seed,
    )
    # Features that are unknown everywhere, such as views in a shop without any, cannot be binned.
    known = np.flatnonzero(~np.isnan(matrix).all(axis=0) & ~np.isin(FEATURE_NAMES, without))
    # On a busy machine, threads that wait for each other take much longer than a single one.
    with threadpool_limits(1):
        fit_binned(model, matrix[:, known], bought, weight)
        trees = Trees.of(_truncate(model, known, *parts[STOP]), known)
    matrix, bought, weight = parts[CALIBRATE]
    raw = trees.raw(matrix)
    calibration = LogisticRegression(C=1e6).fit(raw[:, None], bought, weight)
    share = float(np.average(bought, weights=weight))
    skill = 1 - _log_loss(_sigmoid(raw), bought, weight) / _log_loss(np.full(len(bought), share), bought, weight)
    return Ranker(
        trees=trees,
        # A slope below 0 would reverse the order: such trees have learned noise.
        slope=max(float(calibration.coef_[0, 0]), 0.0),
        offset=float(calibration.intercept_[0]),
        skill=skill,
    )


def _truncate(model: Any, known: IntArray, matrix: FloatArray, bought: BoolArray, weight: FloatArray) -> Any:
    """Remove the trees beyond the number that predicts the given rows best: they overfit."""
    losses = [_log_loss(_sigmoid(raw), bought, weight) for raw in model.staged_decision_function(matrix[:, known])]
    del model._predictors[int(np.argmin(losses)) + 1 :]
    return model


def _sigmoid(raw: FloatArray) -> FloatArray:
    return 1 / (1 + np.exp(-raw))


def _log_loss(probabilities: FloatArray, bought: BoolArray, weight: FloatArray) -> float:
    return float(-np.average(np.log(np.where(bought, probabilities, 1 - probabilities)), weights=weight))
