"""How a training run is written down: begun, done, or failed with a reason."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from django.db import DatabaseError
from django.utils import timezone

from ..errors import EcomrecError, TrainingError
from ..models import TrainingRun

logger = logging.getLogger(__name__)


@contextmanager
def recorded(kind: TrainingRun.Kind, until: datetime | None = None) -> Iterator[TrainingRun]:
    """A new run, by who holds the lock of its kind; marked failed if the work inside raises.

    What is no error of this package is raised as a TrainingError that says in which stage it happened.
    """
    _bury_the_dead(kind)
    run = TrainingRun.objects.create(kind=kind, until=until)
    try:
        yield run
    except EcomrecError as error:
        _fail(run, str(error))
        raise
    except Exception as error:
        logger.exception("Training run %s failed in stage %s", run.pk, run.stage)
        _fail(run, f"{run.stage}: {type(error).__name__}: {error}")
        raise TrainingError(
            f"Training run {run.pk} failed in stage “{run.stage}”: {type(error).__name__}: {error}. "
            "What is published stays as it is."
        ) from error
    except BaseException:
        _fail(run, f"Stopped in stage {run.stage}.")
        raise


def finish(run: TrainingRun, message: str) -> None:
    """Mark ``run`` done; ``message`` is what a merchant should know."""
    run.status, run.stage, run.percent = TrainingRun.Status.DONE, "", 100
    run.finished, run.message = timezone.now(), message
    run.save()


def _bury_the_dead(kind: TrainingRun.Kind) -> None:
    """We hold the lock, so that whatever still says it runs does not."""
    TrainingRun.objects.filter(kind=kind, status=TrainingRun.Status.RUNNING).update(
        status=TrainingRun.Status.FAILED, finished=timezone.now(), message="The process ended without a word."
    )


def _fail(run: TrainingRun, message: str) -> None:
    run.status, run.finished, run.message = TrainingRun.Status.FAILED, timezone.now(), message
    # With the database gone too, the next run will mark this one.
    with suppress(DatabaseError):
        run.save()
