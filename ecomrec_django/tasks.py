"""The jobs of the package, for both the commands and Celery.

No request starts one with ``.delay()``: put them on a schedule (Celery beat, cron).
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from .catalog.sync import SyncReport, sync
from .contrib.celery import task
from .insights.bursts import new_bursts
from .insights.daily_figures import measure
from .insights.experiments import evaluate_all
from .learning.progress import Progress, no_progress
from .merchandising.rule_matches import remember_matches, review_matches, unmatched_message, unmatched_rules
from .merchandising.successors import inherit_overrides
from .models import TrainingRun
from .pipeline.cold_start import add_new_items
from .pipeline.notices import notify
from .pipeline.progress import StageProgress
from .pipeline.publish import publish_due
from .pipeline.train import Stage, train
from .pipeline.train_images import train_images
from .pipeline.train_sequences import train_sequences
from .privacy.erasure import finish_erasures, finish_in_training
from .privacy.retention import days_ago, purge
from .tracking.drain import drain
from .tracking.importers.orders import import_purchases
from .tracking.importers.reviews import import_reviews
from .tracking.intake import release_held
from .tracking.omissions import flush_omissions

MINUTES = 60
HOURS = 60 * MINUTES
# Options of Celery: a stopped worker's job starts again; one that takes too long has five minutes to end by itself.
HOURLY: dict[str, Any] = {"acks_late": True, "soft_time_limit": 55 * MINUTES, "time_limit": HOURS}
TRAINING: dict[str, Any] = {"acks_late": True, "soft_time_limit": 6 * HOURS - 5 * MINUTES, "time_limit": 6 * HOURS}


def run_training(
    until: datetime | None = None, *, publish: bool = False, progress: StageProgress | None = None
) -> TrainingRun:
    """Mirror the catalog, import orders and reviews, finish erasures and train a release; with ``publish``, publish it.

    See `pipeline.train`.
    """

    def catalog(report: Progress) -> dict[str, Any]:
        return asdict(run_sync(report))

    def orders(report: Progress) -> dict[str, Any]:
        return asdict(import_purchases(report))

    def reviews(report: Progress) -> dict[str, Any]:
        return asdict(import_reviews(report))

    def erasures(_: Progress) -> int:
        return finish_in_training()

    before = [Stage("catalog", 10, catalog), Stage("orders", 30, orders), Stage("reviews", 3, reviews)]
    # Right before the history is read, so that no erased visitor is learned from.
    before.append(Stage("erasures", 2, erasures))
    return train(until, publish=publish, progress=progress, before=before)


def run_sync(progress: Progress = no_progress, *, force: bool = False) -> SyncReport:
    """Mirror the catalog, record the events that waited for new products, and give new products offers.

    force: also remove most of the products, if the shop no longer has them; see `catalog.sync.sync`
    Raises DataError where no product can be read, or where most are gone and ``force`` is not set.
    """
    report = _mirror(progress, force=force)
    release_held()
    add_new_items()
    return report


def _mirror(progress: Progress = no_progress, *, force: bool = False) -> SyncReport:
    """Mirror the catalog, and tell of rules that match nothing of it any more."""
    remember_matches()
    report = sync(progress, force=force)
    inherit_overrides(report.successors)
    if lost := review_matches():
        notify("Rules match no products any more", "\n\n".join(map(unmatched_message, lost)))
    report.unmatched_rules = [rule.name for rule in unmatched_rules()]
    report.check()
    return report


def run_pictures(progress: StageProgress | None = None) -> TrainingRun:
    """Mirror the catalog, compute the vectors of new images, and give new products offers."""
    _mirror()
    run = train_images(progress)
    release_held()
    add_new_items()
    return run


@task(name="ecomrec.sync", **HOURLY)
def sync_task() -> dict[str, Any]:
    """Mirror the catalog; returns the counts of the SyncReport."""
    return _as_counts(run_sync())


@task(name="ecomrec.import_orders", **HOURLY)
def import_orders_task() -> dict[str, Any]:
    """Import the shop's orders; returns the counts of the ImportReport."""
    return _as_counts(import_purchases())


@task(name="ecomrec.import_reviews", **HOURLY)
def import_reviews_task() -> dict[str, Any]:
    """Import the shop's reviews; returns the counts of the ReviewReport."""
    return _as_counts(import_reviews())


@task(name="ecomrec.finish_erasures", **HOURLY)
def finish_erasures_task() -> int:
    """Remove erased visitors from the history files; returns how many erasures are now complete."""
    return finish_erasures()


@task(name="ecomrec.purge", **HOURLY)
def purge_task(older_than: int) -> dict[str, Any]:
    """Remove data older than this many days, at least one; returns the counts of the PurgeReport."""
    return asdict(purge(days_ago(older_than)))


@task(name="ecomrec.train", **TRAINING)
def train_task(until: str | None = None, *, publish: bool = False) -> dict[str, Any]:
    """Train a release; ``until`` is ISO-8601 text. Returns the ids of the run and its release, and the message."""
    run = run_training(parse_datetime(until) if until else None, publish=publish)
    flush_omissions(now=True)
    return {"run": run.pk, "release": run.release.pk, "message": run.message}


@task(name="ecomrec.pictures", **TRAINING)
def pictures_task() -> dict[str, Any]:
    """Compute the vectors of new images; use a separate queue. Returns the id of the run and its message."""
    run = run_pictures()
    return {"run": run.pk, "message": run.message}


@task(name="ecomrec.sequences", **TRAINING)
def sequences_task() -> dict[str, Any]:
    """Train the network of purchase sequences; use the same queue. Returns the id of the run and its message."""
    run = train_sequences()
    return {"run": run.pk, "message": run.message}


def run_measure(progress: Progress = no_progress) -> dict[str, int]:
    """Attribute purchases to offers, update the daily figures, evaluate the running experiments, and tell of bursts."""
    report = measure(progress)
    if bursts := new_bursts():
        notify("Unusually many reports of offers", "\n\n".join(bursts))
    counts = {"events": report.attribution.events, "credited": report.attribution.credited}
    return {**counts, "refunded": report.attribution.refunded, "days": report.days, "experiments": evaluate_all()}


@task(name="ecomrec.measure", **HOURLY)
def measure_task() -> dict[str, int]:
    """Measure what offers earned; once an hour. Returns counts."""
    return run_measure()


@task(name="ecomrec.publish_due", **HOURLY)
def publish_due_task() -> list[int]:
    """Publish the release whose scheduled time has come; every few minutes. Returns its id, if there is one."""
    return publish_due()


@task(name="ecomrec.drain", **HOURLY)
def drain_task() -> dict[str, Any]:
    """Move the events waiting in Redis into the database; returns the counts of the DrainReport."""
    return _as_counts(drain(once=True))


def _as_counts(report: Any) -> dict[str, Any]:
    """A report's counts. Counts of ignored events are written now: a worker's child process ends without notice."""
    flush_omissions(now=True)
    return asdict(report)
