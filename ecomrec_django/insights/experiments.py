"""Evaluation of running experiments, and the next shares of bandits.

Results are stored with each experiment, so that its page reads them in one query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from django.db import router, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from ..errors import DataError
from ..learning.evaluation.ab_tests import (
    MIN_VISITORS,
    ArmSample,
    Difference,
    always_valid_interval,
    sample_ratio_mismatch,
    sample_ratio_mismatch_by_propensity,
)
from ..learning.evaluation.off_policy import LoggedExposures, doubly_robust, snips
from ..learning.interactions import DAY
from ..learning.types import BoolArray, FloatArray, IntArray
from ..models import Arm, Experiment
from ..serving.variants import slot_variant
from ..strategies.arm_results import Tally, learned_spread
from ..strategies.bandit import shares_by_segment
from .exposures import Exposures, read_exposures

# Consecutive evaluations in which offers did worse than no offers, after which an experiment falls back.
PATIENCE = 3
VALUED = ("revenue", "margin")


def evaluate_all() -> int:
    """Evaluate every running experiment; returns their number."""
    running = list(Experiment.objects.filter(status=Experiment.Status.RUNNING).prefetch_related("arms"))
    for experiment in running:
        evaluate(experiment)
    return len(running)


def evaluate(experiment: Experiment, *, by_hand: bool = False) -> dict[str, Any]:
    """Update the results of an experiment, and the shares of a bandit's arms; returns the results.

    by_hand: before an action of staff; it neither counts towards PATIENCE nor changes shares.
    """
    exposures = read_exposures(experiment)
    arms = {arm.pk: arm for arm in experiment.arms.all()}
    ordered = [arms[pk] for pk in exposures.arms]
    results = _results(experiment, exposures, ordered)
    if by_hand:
        results["worse"] = experiment.results.get("worse", 0)
    shares, conclusion = ({}, "") if by_hand else _next_shares(experiment, exposures, results, ordered)
    experiment.results = results
    with transaction.atomic(using=router.db_for_write(Experiment)):
        # Staff may have ended or switched it meanwhile: then only the results are written.
        experiment.save(update_fields=["results"])
        experiment.refresh_from_db(
            fields=["conclusion", "status"], from_queryset=Experiment.objects.select_for_update()
        )
        if experiment.conclusion or experiment.status != Experiment.Status.RUNNING:
            return results
        if conclusion:
            experiment.conclusion = conclusion
            experiment.save(update_fields=["conclusion"])
        for arm, arm_shares in shares.items():
            arm.shares = arm_shares
            arm.save(update_fields=["shares"])
    return results


# -- figures --------------------------------------------------------------------------------------------------------


def _results(experiment: Experiment, exposures: Exposures, arms: Sequence[Arm]) -> dict[str, Any]:
    single = exposures.single
    spent = [_sample(exposures, single & (exposures.arm == number), exposures.spent) for number in range(len(arms))]
    bought = [_sample(exposures, single & (exposures.arm == number), exposures.bought) for number in range(len(arms))]
    offers = [number for number, arm in enumerate(arms) if not arm.is_holdout]
    holdout = next((number for number, arm in enumerate(arms) if arm.is_holdout), None)
    before = experiment.results.get("p", {})
    p: dict[str, float] = {}
    # Each arm is compared with the holdout and with the first arm.
    baselines = {"holdout": holdout, "first": offers[0] if offers else None}
    established = exposures.where(exposures.established)
    tallies = _figures(experiment, established, established.arm, (len(arms),)).tolist()
    rows = []
    for number, arm in enumerate(arms):
        mask = exposures.arm == number
        row = {
            "arm": arm.pk,
            "name": arm.name,
            "holdout": arm.is_holdout,
            "days": int(mask.sum()),
            "visitors": int(spent[number].count),
            "clicks": int(exposures.clicks[mask].sum()),
            "orders": int(exposures.orders[mask].sum()),
            "revenue": round(float(exposures.revenue[mask].sum()), 2),
            "margin": round(float(exposures.margin[mask].sum()), 2),
            "spent": _mean(spent[number]),
            "bought": _mean(bought[number]),
            "tally": [] if arm.is_holdout else tallies[number],
        }
        for name, baseline in baselines.items():
            if baseline is not None and baseline != number and not (name == "first" and arm.is_holdout):
                key = f"{arm.pk} {name}"
                difference = always_valid_interval(spent[number], spent[baseline])
                # The smallest p so far counts: a significant result stays significant.
                p[key] = min(difference.p, before.get(key, 1.0))
                row[f"against_{name}"] = {**_difference(difference), "p": p[key]}
        rows.append(row)
    results: dict[str, Any] = {
        "evaluated": timezone.now().isoformat(),
        "arms": rows,
        "p": p,
        "left_out": int(len(exposures) - single.sum()),
        "mismatch": _mismatch(experiment, exposures, arms),
        "worse": experiment.results.get("worse", 0),
    }
    if holdout is not None:
        results |= _incremental(exposures, holdout)
        high = _incremental(established, holdout)["incremental"]["high"]
        is_worse = high is not None and high < 0
        results["worse"] = results["worse"] + 1 if is_worse else 0
    results["policies"] = _policies(experiment, exposures, arms, offers)
    return results


def _sample(exposures: Exposures, rows: BoolArray, values: FloatArray) -> ArmSample:
    """The sums of ``values`` per visitor."""
    number = np.unique(exposures.visitor[rows], return_inverse=True)[1]
    return ArmSample.of(np.bincount(number, values[rows]) if rows.any() else np.empty(0))


def _mean(sample: ArmSample) -> dict[str, float]:
    error = (sample.variance / sample.count) ** 0.5 if sample.count else 0.0
    return {"mean": sample.mean, "error": error}


def _difference(difference: Difference) -> dict[str, float | None]:
    return {name: value if np.isfinite(value) else None for name, value in asdict(difference).items()}


def _incremental(exposures: Exposures, holdout: int) -> dict[str, Any]:
    """Incremental revenue of all arms over the holdout, for all visitors who saw offers.

    Visitors who saw several arms with offers are included: they are frequent visitors, whom the holdout includes too.
    """
    apart, in_holdout = exposures.apart(holdout), exposures.arm == holdout
    with_offers = _sample(exposures, apart & ~in_holdout, exposures.spent)
    difference = always_valid_interval(with_offers, _sample(exposures, apart & in_holdout, exposures.spent))
    return {
        "incremental": {
            name: value * with_offers.count if value is not None else None
            for name, value in _difference(difference).items()
            if name != "p"
        }
    }


def _mismatch(experiment: Experiment, exposures: Exposures, arms: Sequence[Arm]) -> float:
    # Only a visitor's first exposure counts, since the later ones depend on it.
    arm = exposures.arm[exposures.first]
    if experiment.mode == Experiment.Mode.BANDIT or experiment.conclusion:
        return sample_ratio_mismatch_by_propensity(arm, exposures.propensity[exposures.first], len(arms))
    weight = np.array([0.0 if arm.is_holdout else arm.weight for arm in arms])
    holdout = experiment.holdout if any(arm.is_holdout for arm in arms) else 0.0
    share = (1 - holdout) * weight / max(weight.sum(), 1e-12)
    share += np.array([holdout if arm.is_holdout else 0.0 for arm in arms])
    return sample_ratio_mismatch(np.bincount(arm, minlength=len(arms)), share)


# -- off-policy estimates -------------------------------------------------------------------------------------------


def reward(experiment: Experiment, exposures: Exposures) -> FloatArray:
    """The reward of each exposure by the experiment's objective."""
    if experiment.objective in VALUED:
        return np.asarray(getattr(exposures, experiment.objective))
    return np.minimum(getattr(exposures, experiment.objective), 1.0)


def _policies(
    experiment: Experiment, exposures: Exposures, arms: Sequence[Arm], offers: Sequence[int]
) -> dict[str, dict[str, Any]]:
    """Estimated reward per visitor-day outside the holdout if only one arm had been shown, by Arm.pk."""
    if not offers or not len(exposures):
        return {}
    index = {arm: number for number, arm in enumerate(offers)}
    with_offers = np.isin(exposures.arm, offers)
    holdout = experiment.holdout if len(offers) < len(arms) else 0.0
    segments, segment = np.unique(exposures.segment[with_offers], return_inverse=True)
    log = LoggedExposures(
        arm=np.array([index[arm] for arm in exposures.arm[with_offers].tolist()], np.int64),
        # Given that the visitor is outside the holdout.
        propensity=exposures.propensity[with_offers] / (1 - holdout),
        segment=segment,
        reward=reward(experiment, exposures)[with_offers],
        visitor=exposures.visitor[with_offers],
    )
    estimates: dict[str, dict[str, Any]] = {}
    for number, arm in enumerate(offers):
        policy = np.zeros((len(segments), len(offers)))
        policy[:, number] = 1.0
        try:
            estimates[str(arms[arm].pk)] = {
                "snips": asdict(snips(log, policy)),
                "doubly_robust": asdict(doubly_robust(log, policy)),
            }
        except DataError as error:
            estimates[str(arms[arm].pk)] = {"refused": str(error)}
    return estimates


# -- shares ---------------------------------------------------------------------------------------------------------


def _next_shares(
    experiment: Experiment, exposures: Exposures, results: dict[str, Any], arms: Sequence[Arm]
) -> tuple[dict[Arm, dict[str, float]], str]:
    """The next shares of arms, empty if they do not change; and why the experiment falls back, empty if it does not."""
    if fallback := _fallback(experiment, results, arms):
        return fallback
    established = exposures.where(exposures.established)
    return _shares(experiment, established, arms) if experiment.mode == Experiment.Mode.BANDIT else {}, ""


def _shares(experiment: Experiment, exposures: Exposures, arms: Sequence[Arm]) -> dict[Arm, dict[str, float]]:
    """Shares of each arm by segment; empty once the experiment has fallen back."""
    offers = [number for number, arm in enumerate(arms) if not arm.is_holdout]
    if experiment.conclusion or not offers:
        return {}
    segments = np.union1d(exposures.segment, [0])
    segment = np.searchsorted(segments, exposures.segment)
    day = (exposures.time // DAY).astype(np.int64)
    day -= day.min(initial=np.iinfo(np.int64).max)
    shape = (len(segments), int(day.max(initial=0)) + 1, len(arms))
    figures = _figures(experiment, exposures, np.ravel_multi_index((segment, day, exposures.arm), shape), shape)
    shares = shares_by_segment(
        {
            number: [[Tally(*row) for row in by_arm] for by_arm in days[:, offers].tolist()]
            for number, days in zip(segments.tolist(), figures, strict=True)
        },
        np.random.default_rng([experiment.pk, len(exposures)]),
        valued=experiment.objective in VALUED,
        spread=learned_spread(_earlier_tallies(experiment)),
    )
    return {
        arms[arm]: {str(segment): round(float(share[number]), 4) for segment, share in shares.items()}
        for number, arm in enumerate(offers)
    }


def _figures(experiment: Experiment, exposures: Exposures, cell: IntArray, shape: tuple[int, ...]) -> FloatArray:
    """The sums of `Tally` of each cell, shape (*shape, 4); ``cell`` numbers that of each exposure."""
    rewards = reward(experiment, exposures)
    logs = np.log(np.where(rewards > 0, rewards, 1.0)) if experiment.objective in VALUED else np.zeros(len(rewards))
    columns = (np.ones(len(rewards)), rewards > 0, logs, logs**2)
    size = int(np.prod(shape))
    sums = [np.bincount(cell, column, size) for column in columns]
    return np.stack(sums, axis=-1, dtype=np.float64).reshape(*shape, 4)


def _earlier_tallies(experiment: Experiment) -> list[list[Tally]]:
    """The final tallies of each arm with offers of the ended experiments with the same objective."""
    ended = Experiment.objects.filter(status=Experiment.Status.ENDED, objective=experiment.objective)
    return [
        [Tally(*row["tally"]) for row in results.get("arms", ()) if row.get("tally")]
        for results in ended.exclude(pk=experiment.pk).values_list("results", flat=True)
    ]


def _fallback(
    experiment: Experiment, results: dict[str, Any], arms: Sequence[Arm]
) -> tuple[dict[Arm, dict[str, float]], str] | None:
    """Fall back to the best arm, or to no offers, after offers did worse than none PATIENCE times in a row."""
    if experiment.conclusion or results["worse"] < PATIENCE:
        return None
    rows = {row["arm"]: row for row in results["arms"]}
    holdout = next(row for row in results["arms"] if row["holdout"])
    offers = [arm for arm in arms if not arm.is_holdout and rows[arm.pk]["visitors"] >= MIN_VISITORS]
    best = max(offers, key=lambda arm: rows[arm.pk]["spent"]["mean"], default=None)
    if best is not None and rows[best.pk]["spent"]["mean"] <= holdout["spent"]["mean"]:
        best = None
    conclusion = (
        _("visitors with offers spent less than visitors without; only “%(arm)s” is shown") % {"arm": best.name}
        if best is not None
        else _("visitors with offers spent less than visitors without; the slot shows nothing")
    )
    return settled_on(best, arms), conclusion


def settled_on(best: Arm | None, arms: Sequence[Arm]) -> dict[Arm, dict[str, float]]:
    """Shares by which only ``best`` is shown, or nothing if it is None."""
    return {arm: {"0": 1.0 if arm == best else 0.0} for arm in arms if not arm.is_holdout}


# -- actions of staff -----------------------------------------------------------------------------------------------


def start(experiment: Experiment) -> None:
    """Start a draft. Raises DataError if it cannot run."""
    with transaction.atomic(using=router.db_for_write(Experiment)):
        # Locked, so that no two experiments start in one slot at the same time.
        same_slot = list(Experiment.objects.select_for_update().filter(slot=experiment.slot).order_by("pk"))
        experiment.refresh_from_db(fields=["status"])
        if experiment.status != Experiment.Status.DRAFT:
            raise DataError(_("Only a draft can be started. Create a new experiment to try again."))
        if other := next((row for row in same_slot if row.status == Experiment.Status.RUNNING), None):
            raise DataError(_("“%(other)s” is already running in this slot. End it first.") % {"other": other})
        arms = list(experiment.arms.filter(is_holdout=False))
        if not any(arm.weight > 0 for arm in arms):
            raise DataError(_("Add at least one arm with a weight above 0."))
        if experiment.holdout == 0 and len(arms) < 2:
            raise DataError(
                _("One arm without a holdout has nothing to be compared with. Add another arm or a holdout.")
            )
        base = slot_variant(experiment.slot)
        for arm in arms:
            base.changed(arm.options)
        if experiment.holdout > 0:
            Arm.objects.get_or_create(experiment=experiment, is_holdout=True, defaults={"name": _("no offers")})
        experiment.status, experiment.started = Experiment.Status.RUNNING, timezone.now()
        experiment.save(update_fields=["status", "started"])


def end(experiment: Experiment) -> None:
    """Evaluate a running experiment a last time and end it; its slot is shown as configured again."""
    if experiment.status != Experiment.Status.RUNNING:
        raise DataError(_("This experiment is not running."))
    evaluate(experiment, by_hand=True)
    experiment.status, experiment.ended = Experiment.Status.ENDED, timezone.now()
    experiment.save(update_fields=["status", "ended"])


def switch(experiment: Experiment, arm: Arm) -> None:
    """Show ``arm`` to everyone outside the holdout. Raises DataError if there is too little evidence about it."""
    if experiment.status != Experiment.Status.RUNNING or arm.is_holdout or arm.experiment_id != experiment.pk:
        raise DataError(_("You can only switch to an arm with offers in a running experiment."))
    estimate = evaluate(experiment, by_hand=True)["policies"].get(str(arm.pk), {})
    if "refused" in estimate or not estimate:
        raise DataError(estimate.get("refused") or _("No visitors have seen this experiment yet."))
    with transaction.atomic(using=router.db_for_write(Experiment)):
        # Saved first, as in an evaluation: a concurrent one waits for this row.
        experiment.conclusion = _("switched manually to “%(arm)s”") % {"arm": arm.name}
        experiment.save(update_fields=["conclusion"])
        for each, arm_shares in settled_on(arm, list(experiment.arms.all())).items():
            each.shares = arm_shares
            each.save(update_fields=["shares"])
