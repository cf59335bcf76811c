"""The jobs of the package, for the commands and for Celery alike.

No request ever starts one with ``.delay()``: put them on a schedule (Celery beat, cron).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from celery import shared_task
from django.utils.dateparse import parse_datetime

from .catalog.sync import SyncReport, sync
from .insights.daily import measure
from .insights.experiments import evaluate_all
from .models import TrainingRun
from .pipeline.cover import cover_new_items
from .pipeline.pictures import learn_pictures
from .pipeline.progress import Progress
from .pipeline.publish import publish_due
from .pipeline.sequences import learn_sequences
from .pipeline.train import Stage, train
from .privacy.erasure import finish_erasures, finish_in_training
from .privacy.retention import days_ago, purge
from .tracking.drain import drain
from .tracking.intake import release_held
from .tracking.orders import import_purchases
from .tracking.reviews import import_reviews
from .tracking.tally import flush

MINUTES = 60
HOURS = 60 * MINUTES


def run_training(until: datetime | None = None, publish: bool = False, progress: Progress | None = None) -> TrainingRun:
    """Mirror the catalog, import the orders, finish erasures, learn, and with ``publish`` show the release; see
    `pipeline.train`."""

    def catalog(report: Callable[[int, int], None]) -> dict[str, Any]:
        return asdict(run_sync(report))

    def orders(report: Callable[[int, int], None]) -> dict[str, Any]:
        return asdict(import_purchases(report))

    def reviews(report: Callable[[int, int], None]) -> dict[str, Any]:
        return asdict(import_reviews(report))

    def erasures(report: Callable[[int, int], None]) -> int:
        return finish_in_training()

    before = [Stage("catalog", 10, catalog), Stage("orders", 30, orders), Stage("reviews", 3, reviews)]
    # Right before the history is read, so that nobody who was forgotten until now is learned from.
    before.append(Stage("erasures", 2, erasures))
    return train(until, publish, progress, before)


def run_sync(progress: Callable[[int, int], None] | None = None) -> SyncReport:
    """Mirror the catalog, let in the events that waited for its new products, and give these offers."""
    report = sync(progress)
    release_held()
    cover_new_items()
    return report


def run_pictures(progress: Progress | None = None) -> TrainingRun:
    """Mirror the catalog, look at its new pictures, and give its new products offers."""
    sync()
    run = learn_pictures(progress)
    release_held()
    cover_new_items()
    return run


@shared_task(name="ecomrec.sync", acks_late=True, soft_time_limit=55 * MINUTES, time_limit=HOURS)
def sync_task() -> dict[str, Any]:
    """Mirror the catalog; returns the counts of the SyncReport."""
    return _told(run_sync())


@shared_task(name="ecomrec.import_orders", acks_late=True, soft_time_limit=55 * MINUTES, time_limit=HOURS)
def import_orders_task() -> dict[str, Any]:
    """Import the shop's orders; returns the counts of the ImportReport."""
    return _told(import_purchases())


@shared_task(name="ecomrec.import_reviews", acks_late=True, soft_time_limit=55 * MINUTES, time_limit=HOURS)
def import_reviews_task() -> dict[str, Any]:
    """Import the shop's reviews; returns the counts of the ReviewReport."""
    return _told(import_reviews())


@shared_task(name="ecomrec.finish_erasures", acks_late=True, soft_time_limit=55 * MINUTES, time_limit=HOURS)
def finish_erasures_task() -> int:
    """Take those who were forgotten out of the history files; returns how many receipts are now complete."""
    return finish_erasures()


@shared_task(name="ecomrec.purge", acks_late=True, soft_time_limit=55 * MINUTES, time_limit=HOURS)
def purge_task(older_than: int) -> dict[str, Any]:
    """Remove what is older than so many days, one at least; returns the counts of the PurgeReport."""
    return asdict(purge(days_ago(older_than)))


@shared_task(name="ecomrec.train", acks_late=True, soft_time_limit=6 * HOURS - 5 * MINUTES, time_limit=6 * HOURS)
def train_task(until: str | None = None, publish: bool = False) -> dict[str, Any]:
    """Train a release; ``until`` is ISO-8601 text. Returns the ids of the run and its release, and the message."""
    run = run_training(parse_datetime(until) if until else None, publish)
    flush(now=True)
    return {"run": run.pk, "release": run.release.pk, "message": run.message}


@shared_task(
    name="ecomrec.pictures",
    acks_late=True,
    soft_time_limit=6 * HOURS - 5 * MINUTES,
    time_limit=6 * HOURS,
)
def pictures_task() -> dict[str, Any]:
    """Look at new pictures; give it a queue of its own. Returns the id of the run and its message."""
    run = run_pictures()
    return {"run": run.pk, "message": run.message}


@shared_task(
    name="ecomrec.sequences",
    acks_late=True,
    soft_time_limit=6 * HOURS - 5 * MINUTES,
    time_limit=6 * HOURS,
)
def sequences_task() -> dict[str, Any]:
    """Learn what comes next in histories; for the same queue. Returns the id of the run and its message."""
    run = learn_sequences()
    return {"run": run.pk, "message": run.message}


def run_measure(progress: Callable[[int, int], None] | None = None) -> dict[str, int]:
    """Credit what was bought to offers, make the figures of the days, and evaluate the running experiments."""
    found = measure(progress)
    counts = {"events": found.attribution.events, "credited": found.attribution.credited}
    return {**counts, "refunded": found.attribution.refunded, "days": found.days, "experiments": evaluate_all()}


@shared_task(name="ecomrec.measure", acks_late=True, soft_time_limit=55 * MINUTES, time_limit=HOURS)
def measure_task() -> dict[str, int]:
    """Measure what offers earned; once an hour. Returns counts."""
    return run_measure()


@shared_task(name="ecomrec.publish_due", acks_late=True, soft_time_limit=55 * MINUTES, time_limit=HOURS)
def publish_due_task() -> list[int]:
    """Publish the release whose moment has come; every few minutes. Returns its id, if there was one."""
    return publish_due()


@shared_task(name="ecomrec.drain", acks_late=True, soft_time_limit=55 * MINUTES, time_limit=HOURS)
def drain_task() -> dict[str, Any]:
    """Bring what waits in Redis into the database; returns the counts of the DrainReport."""
    return _told(drain(once=True))


def _told(report: Any) -> dict[str, Any]:
    """A report's counts. What the job left out is written now: a worker's child ends without notice."""
    flush(now=True)
    return asdict(report)
