"""One way of sharing out the arms in `benchmarks.shoppers`: the shop is made, trained and opened, and the days go by.

Runs in a process of its own: ``python -m benchmarks._shoppers_days WAY VISITS SEED PLACE``, where PLACE is the line of
its progress bar. What it found is the last line of its output, as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any
from unittest import mock

import numpy as np
import time_machine
from tqdm import tqdm

from ecomrec_django.learning.interactions import DAY

from ._shoppers_plans import START, Plans
from ._shoppers_world import Visit, World

# Shoppers in all, against the visits to come; of these the smallest number.
SHOPPERS, FEWEST = 1.0, 300
HOLDOUT = 0.35
ARMS: dict[str, dict[str, Any]] = {
    "bought with": {"chain": ["bought_with"]},
    "bought with, one": {"chain": ["bought_with"], "limit": 1},
    "for you": {"chain": ["for_you"]},
}
EPSILON = 0.1
# The part of the visits at the end in which an arm's share of them is taken.
LAST = 0.25


def drawn(visits: int, seed: int) -> tuple[World, Plans]:
    """The same for every way."""
    rng = np.random.default_rng([seed, 0])
    world = World.drawn(max(int(visits * SHOPPERS), FEWEST), rng)
    return world, Plans.drawn(world, visits, rng)


def main(way: str, visits: int, seed: int, place: int) -> dict[str, Any]:
    import django

    django.setup()
    from ecomrec_django.failures import failure_counts

    world, plans = drawn(visits, seed)
    with _database():
        with time_machine.travel(START):
            experiment = _opened(world, plans, way)
        found = _Days(world, plans, way, seed, experiment).walk(place)
    if failure_counts:
        raise SystemExit(f"something failed: {dict(failure_counts)}")
    return found


@contextmanager
def _database() -> Iterator[None]:
    """One of its own, which goes at the end."""
    from django.conf import settings
    from django.db import connection

    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = str(settings.VAR / "test.sqlite3")
    name = settings.DATABASES["default"]["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def _opened(world: World, plans: Plans, way: str) -> Any:
    """Fill, train and publish as ``ecomrec_train --publish`` does, and start the experiment."""
    from ecomrec_django.insights.experiments import start
    from ecomrec_django.models import Arm, Experiment
    from ecomrec_django.pipeline.publish import publish
    from ecomrec_django.serving.model_cache import cached_model
    from ecomrec_django.tasks import run_training

    from ._shoppers_past import fill
    from ._shoppers_truth import SLOT

    fill(world, plans)
    run = run_training(publish=True)
    if run.release.refusal:
        # By chance now and then: a merchant may overrule it.
        print(run.message, file=sys.stderr)
        publish(run.release, note="To see what it earns.")
    # Pages read it in the background, which takes shoppers' minutes here.
    if cached_model(run.release.pk, run.release.digest, wait=True) is None:
        raise SystemExit(run.message)
    mode = Experiment.Mode.SPLIT if way == "uniform" else Experiment.Mode.BANDIT
    experiment = Experiment.objects.create(name=way, slot=SLOT, mode=mode, holdout=HOLDOUT)
    for name, options in ARMS.items():
        Arm.objects.create(experiment=experiment, name=name, options=options)
    start(experiment)
    return experiment


class _Days:
    def __init__(self, world: World, plans: Plans, way: str, seed: int, experiment: Any) -> None:
        from ._shoppers_browser import Browser
        from ._shoppers_truth import Truth

        self.world, self.plans, self.way, self.seed = world, plans, way, seed
        self.experiment = experiment
        self.truth = Truth.of(world, experiment)
        self.browsers: dict[int, Browser] = {}

    def walk(self, place: int) -> dict[str, Any]:
        from ecomrec_django.insights.experiments import end

        # Cookies by number, so that the same seed deals the same arms.
        rng = np.random.default_rng([self.seed, 2])

        def token() -> str:
            return rng.bytes(16).hex()

        cookies = mock.patch("ecomrec_django.tracking.middleware.new_token", token)
        with cookies, tqdm(total=len(self.plans.coming), desc=self.way, unit="visit", position=place) as bar:
            for day, visits in groupby(self.plans.coming, lambda visit: (visit.time - START.timestamp()) // DAY):
                for visit in visits:
                    with time_machine.travel(datetime.fromtimestamp(visit.time, UTC), tick=False):
                        self._visit(visit)
                    bar.update()
                with time_machine.travel(START + timedelta(days=day + 1, minutes=-1)):
                    self._night()
            with time_machine.travel(START + timedelta(days=day + 1)):
                end(self.experiment)
        return self._found()

    def _visit(self, visit: Visit) -> None:
        from ._shoppers_browser import Browser

        who = visit.shopper
        if who not in self.browsers:
            member = bool(self.plans.member[who])
            self.browsers[who] = Browser(who, member, bool(self.plans.consenting[who]))
            if not member:
                # The page that they land on gives guests the cookie without which nobody takes part.
                self.browsers[who].look(visit)
        page = self.browsers[who].look(visit)
        self.truth.note(visit, page)
        self.browsers[who].act(self.world, visit, page, self.seed)

    def _night(self) -> None:
        """What a schedule would run: drain, import, measure, which evaluates the experiment too."""
        from ecomrec_django.conf import conf
        from ecomrec_django.tasks import run_measure
        from ecomrec_django.tracking.drain import drain
        from ecomrec_django.tracking.importers.orders import import_purchases

        if conf.REDIS:
            drain(once=True)
        import_purchases()
        run_measure()
        self.experiment.refresh_from_db()
        if self.way == "epsilon-greedy":
            self._greedy()

    def _greedy(self) -> None:
        """Most to the arm whose visitor-days earned most so far, by the figures that the bandit sees."""
        from ecomrec_django.insights.experiments import reward
        from ecomrec_django.insights.exposures import read_exposures

        shown = read_exposures(self.experiment)
        earned = reward(self.experiment, shown)
        arms = [arm for arm in self.experiment.arms.all() if not arm.is_holdout]
        rows = [shown.arm == shown.arms.index(arm.pk) for arm in arms]
        means = np.array([earned[own].mean() if own.any() else 0.0 for own in rows])
        for place, arm in enumerate(arms):
            arm.shares = {"0": EPSILON / len(arms) + (1 - EPSILON) * (place == means.argmax())}
            arm.save(update_fields=["shares"])

    # -- what came of it --------------------------------------------------------------------------------------------

    def _found(self) -> dict[str, Any]:
        """Figures of the experiment beside what the click model expects of the same visits."""
        from ecomrec_django.insights.exposures import read_exposures

        from ._shoppers_browser import Browser

        truth, shown = self.truth, read_exposures(self.experiment)
        arm, visitor = np.array(truth.arm), truth.visitors()
        offered = np.isin(arm, list(truth.variants))
        without, expected = np.array(truth.without), np.array(truth.shown)
        values = np.array(truth.values)
        single = np.isin(visitor, np.unique(shown.visitor[shown.single]))
        last = np.arange(len(arm)) >= len(arm) * (1 - LAST)
        return {
            "results": self.experiment.results,
            "end_share": {pk: float((arm[offered & last] == pk).mean()) for pk in truth.variants},
            "worth": dict(zip(truth.variants, (values - without[:, None]).mean(axis=0).tolist(), strict=True)),
            "all_of": dict(zip(truth.variants, values[offered].sum(axis=0).tolist(), strict=True)),
            "offered": float(expected[offered].sum()),
            "visits": len(arm),
            "with": _a_visitor(expected, visitor, single & offered),
            "with_none": _a_visitor(without, visitor, single & offered),
            "holdout": _a_visitor(without, visitor, single & ~offered),
            "left_out": len(np.unique(visitor[~single])),
            "left_out_none": _a_visitor(without, visitor, ~single),
            "incremental": float((expected - without)[single & offered].sum()),
            "attributed": float(shown.revenue[shown.single & np.isin(shown.arm, self._places(shown.arms))].sum()),
            "refused": self._refused(),
            "requests": Browser.pages,
        }

    def _places(self, arms: tuple[int, ...]) -> list[int]:
        return [arms.index(pk) for pk in self.truth.variants]

    def _refused(self) -> dict[str, int]:
        """Those who did not agree: how many came, and what was recorded of them or given to them to be known by."""
        from django.contrib.auth.models import User

        from ecomrec_django.models import Event, Exposure, Impression
        from ecomrec_django.tracking.visitors import COOKIE, user_key

        from ._shoppers_past import user_of

        who = [shopper for shopper in self.browsers if not self.plans.consenting[shopper]]
        users = User.objects.filter(username__in=map(user_of, who)).values_list("pk", flat=True)
        theirs = {"visitor__key__in": list(map(user_key, users))}
        seen = Event.objects.filter(key__startswith="seen:", **theirs).count()
        shown = Impression.objects.filter(**theirs).count() + Exposure.objects.filter(**theirs).count()
        cookies = sum(COOKIE in self.browsers[one].cookies for one in who)
        return {"shoppers": len(who), "recorded": seen + shown + cookies}


def _a_visitor(values: np.ndarray, visitor: np.ndarray, rows: np.ndarray) -> float:
    return float(values[rows].sum() / max(len(np.unique(visitor[rows])), 1))


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], *map(int, sys.argv[2:5]))))
