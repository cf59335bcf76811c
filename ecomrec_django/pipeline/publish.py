"""Which release pages show: one pointer, moved in one transaction."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from ..artifacts import release_folder
from ..conf import conf
from ..db import MAX_LOOKUP_IDS
from ..errors import TrainingError
from ..merchandising.review import queue_for_review
from ..models import OfferList, Publication, Release, StrategyVerdict, TrainingRun


def can_publish(release: Release) -> bool:
    """Whether a complete release has a strategy that is not held back."""
    return not release.verdicts.exists() or len(release.held_back) < release.verdicts.count()


def publish(
    release: Release, *, overruled: Collection[str] | None = None, overruled_by: Any = None, note: str = ""
) -> None:
    """Show ``release`` from now on; the one shown before is what a roll back returns to.

    As ``ECOMREC["REVIEW"]`` says, offers that nobody approved stay out of what is shown. Of strategies that the
    evaluation holds back, pages go on showing what they show now.

    With a ``note`` that says why, held strategies are published all the same: those named in ``overruled``, all if
    None; ``overruled_by`` is the user who says so, None for a command. Raises TrainingError if the lists are not all
    written, if every strategy is held back, or for a note that cannot be kept.
    """
    if not release.complete:
        raise TrainingError(f"Release {release.pk} is not complete and cannot be published; train again.")
    queue_for_review(release)
    _point_to(release, overruled, overruled_by, note.strip())


@transaction.atomic
def _point_to(release: Release, overruled: Collection[str] | None, overruled_by: Any, note: str) -> None:
    release = Release.objects.select_for_update().get(pk=release.pk)
    publication = Publication.objects.current().select_for_update().select_related("release").first()
    if note or overruled:
        _overrule(release, overruled, overruled_by, note)
    if not can_publish(release):
        raise TrainingError(
            f"Every strategy of release {release.pk} was held back by its evaluation: {_reasons(release)} To publish "
            f"it anyway, give a reason on its page in the admin, or with “manage.py ecomrec_publish {release.pk} "
            "--overrule NOTE”."
        )
    if publication is None:
        publication = Publication(pk=Publication.CURRENT, release=release)
    elif publication.release_id != release.pk:
        for verdict in release.held_back:
            verdict.source_id = publication.release.shown_release(verdict.strategy)
            verdict.save(update_fields=["source"])
        publication.previous_id = publication.release_id
        publication.release = release
    # Also where the release stays: pages then drop what they cached of a strategy that is no longer held back.
    publication.save()
    release.published_at = timezone.now()
    release.scheduled_for = None
    release.save(update_fields=["published_at", "scheduled_for"])


def schedule(release: Release, moment: datetime | None) -> None:
    """Schedule ``release`` for publication by `publish_due` at ``moment``; None cancels it.

    Raises TrainingError if it cannot be published, or for a time in the past.
    """
    if moment is not None:
        if not release.complete or not can_publish(release):
            raise TrainingError(f"Release {release.pk} cannot be scheduled: it is incomplete or held back.")
        if moment <= timezone.now():
            raise TrainingError("This time has passed. Publish the release now, or choose a later time.")
    release.scheduled_for = moment
    release.save(update_fields=["scheduled_for"])


def publish_due() -> list[int]:
    """Publish the release whose moment has come, the newest if several have; returns Release.pks."""
    due = list(Release.objects.filter(scheduled_for__lte=timezone.now(), complete=True).order_by("pk"))
    if not due:
        return []
    Release.objects.filter(pk__in=[release.pk for release in due]).update(scheduled_for=None)
    publish(due[-1])
    return [due[-1].pk]


def _overrule(release: Release, strategies: Collection[str] | None, user: Any, note: str) -> None:
    longest = StrategyVerdict._meta.get_field("overruled_note").max_length or 0
    if not note:
        raise TrainingError("To publish what the evaluation held back, give a reason.")
    if len(note) > longest:
        raise TrainingError(f"The note has {len(note)} characters; the limit is {longest}.")
    for verdict in release.held_back:
        if strategies is None or verdict.strategy in strategies:
            verdict.outcome = StrategyVerdict.Outcome.OVERRULED
            verdict.overruled_by, verdict.overruled_note = user, note
            verdict.save()


def _reasons(release: Release) -> str:
    return " ".join(dict.fromkeys(line for each in release.held_back for line in each.reasons.splitlines()))


@transaction.atomic
def rollback() -> Release:
    """Return to the release shown before, and hand it back; a second roll back goes one further.

    Raises TrainingError if there is none.
    """
    publication = Publication.objects.current().select_for_update().first()
    if publication is None:
        raise TrainingError("Nothing is published yet, so there is nothing to roll back.")
    target = publication.previous
    if target is None or not target.complete:
        raise TrainingError(f"There is no release before {publication.release_id} to roll back to.")
    publication.release = target
    publication.previous = (
        Release.objects.filter(complete=True, published_at__isnull=False, pk__lt=target.pk).order_by("-pk").first()
    )
    publication.save()
    target.published_at = timezone.now()
    target.save(update_fields=["published_at"])
    return target


def prune() -> int:
    """Delete releases beyond ``ECOMREC["RELEASES_KEPT"]`` and unfinished ones, never the published or the previous, nor
    one whose lists are shown in the place of a strategy that is held back by a release that stays.

    Returns how many went. Lists go in small chunks, so that no page waits long. The evaluation of a release stays
    with its training run, as ``metrics["evaluation"]`` and with its number, so that many trainings can be compared.
    """
    publication = Publication.objects.current().first()
    kept: set[int | None] = {publication.release_id, publication.previous_id} if publication else set()
    newest = Release.objects.filter(complete=True).order_by("-pk").values_list("pk", flat=True)
    kept |= set(newest[: max(conf.RELEASES_KEPT, 1)])
    held_back = StrategyVerdict.objects.filter(
        release__in=[pk for pk in kept if pk], outcome=StrategyVerdict.Outcome.HELD
    )
    kept |= set(held_back.values_list("source", flat=True))
    old = Release.objects.exclude(pk__in=[pk for pk in kept if pk]).exclude(run__status=TrainingRun.Status.RUNNING)
    deleted = 0
    for pk in list(old.values_list("pk", flat=True)):
        while some := list(OfferList.objects.filter(release_id=pk).values_list("pk", flat=True)[:MAX_LOOKUP_IDS]):
            OfferList.objects.filter(pk__in=some).delete()
        shutil.rmtree(release_folder(pk), ignore_errors=True)
        with transaction.atomic():
            for release in Release.objects.select_related("run").filter(pk=pk):
                _keep_evaluation(release)
                release.delete()
        deleted += 1
    return deleted


def _keep_evaluation(release: Release) -> None:
    if release.evaluation:
        # The signals alone are long, and say nothing of how good it was.
        figures = {name: value for name, value in release.evaluation.items() if name != "signals"}
        release.run.metrics["evaluation"] = {**figures, "release": release.pk}
        release.run.save(update_fields=["metrics"])
