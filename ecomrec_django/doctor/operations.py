"""What runs on a schedule, what was published, and whether shoppers can consent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Count, Max, Sum
from django.utils import timezone

from ..artifacts import release_folder
from ..catalog.sync import CHECKPOINT as SYNC
from ..conf import conf
from ..db import to_aware
from ..failures import message_of
from ..merchandising.rule_matches import unmatched_rules
from ..models import Checkpoint, Event, OfferList, Omission, Publication, Release, TrainingRun
from ..privacy.retention import PURGED
from ..tracking.importers.reviews import CHECKPOINT as REVIEWS
from ..tracking.importers.stored_lines import CHECKPOINT as ORDERS
from ..tracking.importers.stored_lines import MEASURED as MEASURE
from .findings import Finding, failure, ok, warning
from .requests import QueryCount, anonymous_request

TRAINING_AGE = timedelta(days=8)
# Days of ignored page views that are looked at.
DAYS = 7
# Events among which one of a shopper who agreed is looked for.
LATEST_EVENTS = 100_000


class Job(NamedTuple):
    """A job on the schedule: its checkpoint, how old that may be, and the command that runs it."""

    checkpoint: str
    age: timedelta
    command: str


JOBS = (
    Job(SYNC, timedelta(days=2), "ecomrec_sync"),
    Job(ORDERS, timedelta(days=2), "ecomrec_train"),
    Job(REVIEWS, timedelta(days=8), "ecomrec_train"),
    Job(MEASURE, timedelta(days=2), "ecomrec_measure"),
    Job(PURGED, timedelta(days=40), "ecomrec_purge"),
)


def schedule() -> Iterator[Finding]:
    """When each job ran last."""
    times = dict(Checkpoint.objects.values_list("name", "updated"))
    for job in JOBS:
        subject, remedy = f"schedule: {job.checkpoint}", f"Run manage.py {job.command} on a schedule."
        if job.checkpoint not in times:
            yield warning(subject, "it never ran", remedy)
        elif _is_older(times[job.checkpoint], job.age):
            yield warning(subject, f"it last ran at {_text(times[job.checkpoint])}", remedy)
        else:
            yield ok(subject, f"it last ran at {_text(times[job.checkpoint])}")
    yield _training()


def _training() -> Finding:
    subject, remedy = "schedule: training", "Run manage.py ecomrec_train --publish on a schedule."
    runs = TrainingRun.objects.filter(kind=TrainingRun.Kind.RELEASE)
    run = runs.exclude(status=TrainingRun.Status.RUNNING).first()
    if run is None:
        return warning(subject, "it never ran", remedy)
    if run.status == TrainingRun.Status.FAILED:
        return failure(subject, f"run {run.pk} failed: {run.message}", "Correct this, and run manage.py ecomrec_train.")
    if _is_older(run.started, TRAINING_AGE):
        return warning(subject, f"it last ran at {_text(run.started)}", remedy)
    return ok(subject, f"it last ran at {_text(run.started)}")


def release() -> Iterator[Finding]:
    """The release that pages show, its lists and its model."""
    published = Publication.objects.current().select_related("release").first()
    if published is None:
        yield _unpublished()
        return
    release = published.release
    lists = dict(OfferList.objects.filter(release.shown()).order_by().values_list("strategy").annotate(Count("pk")))
    counts = ", ".join(f"{strategy} {lists.get(strategy, 0)}" for strategy in conf.STRATEGIES)
    if any(lists.values()):
        yield ok("release", f"release {release.pk} is published; lists: {counts}")
    else:
        remedy = "Import more orders: a list needs products that several customers bought."
        yield failure("release", f"release {release.pk} has no lists", remedy)
    for verdict in release.held_back:
        remedy = f"{' '.join(verdict.reasons.splitlines())} See its page in the admin."
        yield warning("release", f"its strategy {verdict.strategy} is held back", remedy)
    if release.digest and not release_folder(release.pk).exists():
        remedy = 'Share ECOMREC["ARTIFACTS"] with the machine that trains, or copy it after each training.'
        yield warning("model", f"{release_folder(release.pk)} does not exist here, so no offer is personal", remedy)


def rules() -> Iterator[Finding]:
    """The rules that match nothing."""
    unmatched = list(unmatched_rules())
    for rule in unmatched:
        remedy = "Give it another category, brand or attribute, or deactivate it."
        yield warning(f"rule: {rule.name}", "it matches no product of the catalog", remedy)
    if not unmatched:
        yield ok("rules", "every rule matches products")


def _unpublished() -> Finding:
    latest = Release.objects.filter(complete=True).first()
    message = "no release is published, so no block is shown"
    if latest is None:
        return failure("release", message, "Run manage.py ecomrec_train --publish.")
    return failure("release", message, f"Run manage.py ecomrec_publish {latest.pk}.")


def consent() -> Iterator[Finding]:
    """Whether the consent function works, and whether anybody was ever recorded."""
    request = anonymous_request()
    with QueryCount() as queries:
        try:
            conf.CONSENT(request)
        except Exception as error:
            remedy = 'ECOMREC["CONSENT"] takes the request and returns True or False. Until then nothing is recorded.'
            yield failure("consent", f"it fails for a new visitor: {message_of(error)}", remedy)
            return
    if queries.total:
        remedy = "Read the answer from a cookie: it is asked on each page, before the response is sent."
        yield warning("consent", f"it makes {queries.total} queries", remedy)
    yield _recorded()


def _recorded() -> Finding:
    latest = Event.objects.filter(pk__gt=(Event.objects.aggregate(newest=Max("pk"))["newest"] or 0) - LATEST_EVENTS)
    # The shop's own orders are imported without a policy.
    if latest.exclude(policy="").exists():
        return ok("consent", "shoppers who agreed are recorded")
    since = timezone.localdate() - timedelta(days=DAYS)
    refused = Omission.objects.filter(day__gte=since, reason=Omission.Reason.REFUSED).aggregate(sum=Sum("count"))["sum"]
    remedy = (
        "Connect a consent banner: ecomrec_django.tracking.consent.agree stores that a shopper agrees. "
        'Or set ECOMREC["CONSENT"].'
    )
    if refused:
        return warning("consent", f"nobody has agreed yet: {refused} events of {DAYS} days were ignored", remedy)
    return warning("consent", "no shopper who agreed was recorded yet", remedy)


def _is_older(moment: datetime, age: timedelta) -> bool:
    return timezone.now() - to_aware(moment) > age


def _text(moment: datetime) -> str:
    return f"{to_aware(moment):%Y-%m-%d %H:%M}"
