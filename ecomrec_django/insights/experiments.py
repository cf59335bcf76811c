"""What running experiments have shown: kept with each of them, so that its page reads it in one query; and the next
shares of bandits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from django.db import router, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from ..errors import DataError
from ..learning.experiments import (
    MIN_VISITORS,
    Difference,
    Sample,
    always_valid,
    mismatch,
    mismatch_by_propensity,
)
from ..learning.offpolicy import Estimate, Log, doubly_robust, snips
from ..models import Arm, Experiment
from ..serving.variants import slot_variant
from ..strategies.bandit import Tally, shares_by_segment
from .exposed import Exposed, exposed

# Evaluations after one another in which offers did worse than none before a bandit gives up its shares.
PATIENCE = 3
OBJECTIVES = {"clicks": "clicks", "orders": "orders", "revenue": "revenue", "margin": "margin"}
VALUED = ("revenue", "margin")


def evaluate_all() -> int:
    """Evaluate every running experiment; returns how many."""
    running = list(Experiment.objects.filter(status=Experiment.Status.RUNNING).prefetch_related("arms"))
    for experiment in running:
        evaluate(experiment)
    return len(running)


def evaluate(experiment: Experiment, by_hand: bool = False) -> dict[str, Any]:
    """Bring ``results`` up to date, and the shares of a bandit's arms; returns the results.

    ``by_hand``: a merchant is about to act, which neither counts towards PATIENCE nor changes shares.
    """
    shown = exposed(experiment)
    arms = {arm.pk: arm for arm in experiment.arms.all()}
    ordered = [arms[pk] for pk in shown.arms]
    results = _results(experiment, shown, ordered)
    if by_hand:
        results["worse"] = experiment.results.get("worse", 0)
    shares, said = ({}, "") if by_hand else _decided(experiment, shown, results, ordered)
    experiment.results = results
    with transaction.atomic(using=router.db_for_write(Experiment)):
        # A merchant may have ended or switched it meanwhile: only what was found is written, and their arm stays.
        experiment.save(update_fields=["results"])
        experiment.refresh_from_db(fields=["settled", "status"], from_queryset=Experiment.objects.select_for_update())
        if experiment.settled or experiment.status != Experiment.Status.RUNNING:
            return results
        if said:
            experiment.settled = said
            experiment.save(update_fields=["settled"])
        for arm, own in shares.items():
            arm.shares = own
            arm.save(update_fields=["shares"])
    return results


# -- figures --------------------------------------------------------------------------------------------------------


def _results(experiment: Experiment, shown: Exposed, arms: Sequence[Arm]) -> dict[str, Any]:
    single = shown.single
    spent = [_sample(shown, single & (shown.arm == place), shown.spent) for place in range(len(arms))]
    bought = [_sample(shown, single & (shown.arm == place), shown.bought) for place in range(len(arms))]
    offers = [place for place, arm in enumerate(arms) if not arm.is_holdout]
    holdout = next((place for place, arm in enumerate(arms) if arm.is_holdout), None)
    before = experiment.results.get("p", {})
    p: dict[str, float] = {}
    # Against no offers at all, and against the first arm.
    against = {"holdout": holdout, "first": offers[0] if offers else None}
    rows = []
    for place, arm in enumerate(arms):
        here = shown.arm == place
        row = {
            "arm": arm.pk,
            "name": arm.name,
            "holdout": arm.is_holdout,
            "days": int(here.sum()),
            "visitors": int(spent[place].count),
            "clicks": int(shown.clicks[here].sum()),
            "orders": int(shown.orders[here].sum()),
            "revenue": round(float(shown.revenue[here].sum()), 2),
            "margin": round(float(shown.margin[here].sum()), 2),
            "spent": _mean(spent[place]),
            "bought": _mean(bought[place]),
        }
        for name, other in against.items():
            if other is not None and other != place and not (name == "first" and arm.is_holdout):
                key = f"{arm.pk} {name}"
                found = always_valid(spent[place], spent[other])
                # However often it is looked at: what was sure once stays so.
                p[key] = min(found.p, before.get(key, 1.0))
                row[f"against_{name}"] = {**_difference(found), "p": p[key]}
        rows.append(row)
    results: dict[str, Any] = {
        "evaluated": timezone.now().isoformat(),
        "arms": rows,
        "p": p,
        "left_out": int(len(shown) - single.sum()),
        "mismatch": _mismatch(experiment, shown, arms),
        "worse": experiment.results.get("worse", 0),
    }
    if holdout is not None:
        results |= _incremental(shown, holdout)
        behind = results["incremental"]["high"] is not None and results["incremental"]["high"] < 0
        results["worse"] = results["worse"] + 1 if behind else 0
    results["policies"] = _policies(experiment, shown, arms, offers)
    return results


def _sample(shown: Exposed, rows: np.ndarray, values: np.ndarray) -> Sample:
    """Of visitors: the sum of the values of each."""
    own = np.unique(shown.visitor[rows], return_inverse=True)[1]
    return Sample.of(np.bincount(own, values[rows]) if rows.any() else np.empty(0))


def _mean(sample: Sample) -> dict[str, float]:
    error = (sample.variance / sample.count) ** 0.5 if sample.count else 0.0
    return {"mean": sample.mean, "error": error}


def _difference(found: Difference) -> dict[str, float | None]:
    return {name: value if np.isfinite(value) else None for name, value in asdict(found).items()}


def _incremental(shown: Exposed, holdout: int) -> dict[str, Any]:
    """What all arms together brought more than the holdout, for all the visitors who saw them.

    Who moved from arm to arm with offers counts as well: only those who come often do, and the holdout has them all.
    """
    apart, without = shown.apart(holdout), shown.arm == holdout
    everybody = _sample(shown, apart & ~without, shown.spent)
    found = always_valid(everybody, _sample(shown, apart & without, shown.spent))
    times = everybody.count
    return {
        "incremental": {
            name: value * times if value is not None else None
            for name, value in _difference(found).items()
            if name != "p"
        }
    }


def _mismatch(experiment: Experiment, shown: Exposed, arms: Sequence[Arm]) -> float:
    # A visitor's later days follow from the first.
    arm = shown.arm[shown.first]
    if experiment.mode == Experiment.Mode.BANDIT or experiment.settled:
        return mismatch_by_propensity(arm, shown.propensity[shown.first], len(arms))
    weight = np.array([0.0 if arm.is_holdout else arm.weight for arm in arms])
    holdout = experiment.holdout if any(arm.is_holdout for arm in arms) else 0.0
    share = (1 - holdout) * weight / max(weight.sum(), 1e-12)
    share += np.array([holdout if arm.is_holdout else 0.0 for arm in arms])
    return mismatch(np.bincount(arm, minlength=len(arms)), share)


# -- what another choice would have earned --------------------------------------------------------------------------


def reward(experiment: Experiment, shown: Exposed) -> np.ndarray:
    """What the objective counts of each exposure."""
    if experiment.objective in VALUED:
        return np.asarray(getattr(shown, experiment.objective))
    return np.minimum(getattr(shown, experiment.objective), 1.0)


def _policies(
    experiment: Experiment, shown: Exposed, arms: Sequence[Arm], offers: Sequence[int]
) -> dict[str, dict[str, Any]]:
    """Of each arm, what showing it alone would have earned a visitor-day outside of the holdout."""
    if not offers or not len(shown):
        return {}
    place = {arm: number for number, arm in enumerate(offers)}
    kept = np.isin(shown.arm, offers)
    holdout = experiment.holdout if len(offers) < len(arms) else 0.0
    segments, segment = np.unique(shown.segment[kept], return_inverse=True)
    log = Log(
        np.array([place[arm] for arm in shown.arm[kept].tolist()], np.int64),
        # Among those who saw anything.
        shown.propensity[kept] / (1 - holdout),
        segment,
        reward(experiment, shown)[kept],
        shown.visitor[kept],
    )
    found: dict[str, dict[str, Any]] = {}
    for number, arm in enumerate(offers):
        policy = np.zeros((len(segments), len(offers)))
        policy[:, number] = 1.0
        try:
            found[str(arms[arm].pk)] = {
                "snips": _estimate(snips(log, policy)),
                "doubly_robust": _estimate(doubly_robust(log, policy)),
            }
        except DataError as error:
            found[str(arms[arm].pk)] = {"refused": str(error)}
    return found


def _estimate(found: Estimate) -> dict[str, float]:
    return asdict(found)


# -- shares ---------------------------------------------------------------------------------------------------------


def _decided(
    experiment: Experiment, shown: Exposed, results: dict[str, Any], arms: Sequence[Arm]
) -> tuple[dict[Arm, dict[str, float]], str]:
    """The next shares of arms, none where they stay as they are; and why it falls back, "" if it does not."""
    if fallback := _fallback(experiment, results, arms):
        return fallback
    return _shares(experiment, shown, arms) if experiment.mode == Experiment.Mode.BANDIT else {}, ""


def _shares(experiment: Experiment, shown: Exposed, arms: Sequence[Arm]) -> dict[Arm, dict[str, float]]:
    """What each arm gets of each segment; nothing changes once the experiment fell back."""
    offers = [place for place, arm in enumerate(arms) if not arm.is_holdout]
    if experiment.settled or not offers:
        return {}
    segments = {0, *np.unique(shown.segment).tolist()}
    tallies = {
        segment: [tally(experiment, shown, (shown.arm == place) & (shown.segment == segment)) for place in offers]
        for segment in sorted(segments)
    }
    rng = np.random.default_rng([experiment.pk, len(shown)])
    shares = shares_by_segment(tallies, experiment.objective in VALUED, rng)
    return {
        arms[place]: {str(segment): round(float(share[number]), 4) for segment, share in shares.items()}
        for number, place in enumerate(offers)
    }


def tally(experiment: Experiment, shown: Exposed, rows: np.ndarray) -> Tally:
    """Of some visitor-days: how many there are, how many reached the objective, and the logs of what that was worth."""
    earned = reward(experiment, shown)[rows]
    won = earned[earned > 0]
    if experiment.objective not in VALUED:
        return Tally(float(rows.sum()), float(len(won)))
    logs = np.log(won)
    return Tally(float(rows.sum()), float(len(won)), float(logs.sum()), float((logs**2).sum()))


def _fallback(
    experiment: Experiment, results: dict[str, Any], arms: Sequence[Arm]
) -> tuple[dict[Arm, dict[str, float]], str] | None:
    """All to the best known arm, or to none, once offers did surely worse than no offers PATIENCE times on end."""
    if experiment.settled or results["worse"] < PATIENCE:
        return None
    rows = {row["arm"]: row for row in results["arms"]}
    holdout = next(row for row in results["arms"] if row["holdout"])
    offers = [arm for arm in arms if not arm.is_holdout and rows[arm.pk]["visitors"] >= MIN_VISITORS]
    best = max(offers, key=lambda arm: rows[arm.pk]["spent"]["mean"], default=None)
    if best is not None and rows[best.pk]["spent"]["mean"] <= holdout["spent"]["mean"]:
        best = None
    said = (
        _("visitors with offers spent less than those without; “%(arm)s” alone is shown") % {"arm": best.name}
        if best is not None
        else _("visitors with offers spent less than those without; the slot shows nothing")
    )
    return settled_on(best, arms), said


def settled_on(best: Arm | None, arms: Sequence[Arm]) -> dict[Arm, dict[str, float]]:
    """Shares by which ``best`` alone is shown; nothing at all if None."""
    return {arm: {"0": 1.0 if arm == best else 0.0} for arm in arms if not arm.is_holdout}


# -- a merchant's hand ----------------------------------------------------------------------------------------------


def start(experiment: Experiment) -> None:
    """Let a draft run. Raises DataError for one that cannot."""
    with transaction.atomic(using=router.db_for_write(Experiment)):
        # Two that start at once in one slot take turns.
        locked = list(Experiment.objects.select_for_update().filter(slot=experiment.slot).order_by("pk"))
        experiment.refresh_from_db(fields=["status"])
        if experiment.status != Experiment.Status.DRAFT:
            raise DataError(_("Only a draft can be started; make a new experiment to try again."))
        if other := next((one for one in locked if one.status == Experiment.Status.RUNNING), None):
            raise DataError(_("“%(other)s” runs in this slot already: end it first.") % {"other": other})
        arms = list(experiment.arms.filter(is_holdout=False))
        if not any(arm.weight > 0 for arm in arms):
            raise DataError(_("Give it at least one arm with a weight above 0."))
        if experiment.holdout == 0 and len(arms) < 2:
            raise DataError(_("One arm without a holdout compares nothing: add another arm, or a holdout."))
        base = slot_variant(experiment.slot)
        for arm in arms:
            base.changed(arm.options)
        if experiment.holdout > 0:
            Arm.objects.get_or_create(experiment=experiment, is_holdout=True, defaults={"name": _("no offers")})
        experiment.status, experiment.started = Experiment.Status.RUNNING, timezone.now()
        experiment.save(update_fields=["status", "started"])


def end(experiment: Experiment) -> None:
    """Evaluate a running experiment for the last time, and let its slot show again what the settings say."""
    if experiment.status != Experiment.Status.RUNNING:
        raise DataError(_("It does not run."))
    evaluate(experiment, by_hand=True)
    experiment.status, experiment.ended = Experiment.Status.ENDED, timezone.now()
    experiment.save(update_fields=["status", "ended"])


def switch(experiment: Experiment, arm: Arm) -> None:
    """Show ``arm`` to everybody outside of the holdout. Raises DataError while there is too little to judge it by."""
    if experiment.status != Experiment.Status.RUNNING or arm.is_holdout or arm.experiment_id != experiment.pk:
        raise DataError(_("Only an arm with offers of a running experiment can be switched to."))
    told = evaluate(experiment, by_hand=True)["policies"].get(str(arm.pk), {})
    if "refused" in told or not told:
        raise DataError(told.get("refused") or _("Nobody has seen this experiment yet."))
    with transaction.atomic(using=router.db_for_write(Experiment)):
        # First, as an evaluation does: of two at once the second one waits.
        experiment.settled = _("a merchant switched to “%(arm)s”") % {"arm": arm.name}
        experiment.save(update_fields=["settled"])
        for one, own in settled_on(arm, list(experiment.arms.all())).items():
            one.shares = own
            one.save(update_fields=["shares"])
