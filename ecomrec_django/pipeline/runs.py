"""How a training run is recorded: started, done, or failed with a reason."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from django.db import DatabaseError
from django.utils import timezone

from ..errors import EcomrecError, TrainingError
from ..models import TrainingRun
from .notices import notify_of_failure

logger = logging.getLogger(__name__)
# Libraries that runs import, by the extra that installs them.
EXTRAS = {
    "learn": {"duckdb", "pyarrow", "scipy", "sklearn", "threadpoolctl"},
    "deep": {"PIL", "keras", "tensorflow"},
}


@contextmanager
def recorded_run(kind: TrainingRun.Kind, until: datetime | None = None) -> Iterator[TrainingRun]:
    """A new run, for who holds the lock of its kind; marked failed if the work inside raises.

    Errors that are none of this package are raised as a TrainingError that names the stage.
    """
    _fail_orphans(kind)
    run = TrainingRun.objects.create(kind=kind, until=until)
    try:
        yield run
    except EcomrecError as error:
        _fail(run, str(error))
        raise
    except Exception as error:
        logger.exception("Training run %s failed in stage %s", run.pk, run.stage)
        reason = _reason(error)
        _fail(run, f"{run.stage}: {reason}")
        raise TrainingError(
            f"Training run {run.pk} failed in stage “{run.stage}”: {reason}. The published release is unchanged."
        ) from error
    except BaseException:
        _fail(run, f"Stopped in stage “{run.stage}”.")
        raise


def finish_run(run: TrainingRun, message: str) -> None:
    """Mark ``run`` done; ``message`` is what a merchant should know."""
    run.status, run.stage, run.percent = TrainingRun.Status.DONE, "", 100
    run.finished, run.message = timezone.now(), message
    run.save()


def _fail_orphans(kind: TrainingRun.Kind) -> None:
    """Mark runs that claim to be running as failed: who holds the lock is the only one."""
    TrainingRun.objects.filter(kind=kind, status=TrainingRun.Status.RUNNING).update(
        status=TrainingRun.Status.FAILED, finished=timezone.now(), message="The process ended unexpectedly."
    )


def _reason(error: Exception) -> str:
    """What went wrong; for a library that an extra installs, that extra."""
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    for extra, libraries in EXTRAS.items():
        if name in libraries:
            return f'{name} is not installed: pip install "ecomrec-django[{extra}]"'
    return f"{type(error).__name__}: {error}"


def _fail(run: TrainingRun, message: str) -> None:
    run.status, run.finished, run.message = TrainingRun.Status.FAILED, timezone.now(), message
    # Without the database, the next run marks this one.
    with suppress(DatabaseError):
        run.save()
    notify_of_failure(run)
