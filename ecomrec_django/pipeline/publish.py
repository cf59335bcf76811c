"""Which release pages show: one pointer, moved in one transaction."""

from __future__ import annotations

import shutil
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from ..conf import conf
from ..errors import TrainingError
from ..models import OfferList, Publication, Release, TrainingRun
from ..models.bulk import LOOKUP
from .learned import folder_of
from .review import prepare


def publish(release: Release, *, overruled_by: Any = None, note: str = "") -> None:
    """Show ``release`` from now on; the one shown before is what a roll back returns to.

    As ``ECOMREC["REVIEW"]`` says, offers that nobody approved stay out of what is shown.

    A release that its evaluation refused needs a ``note`` that says why it is published all the same; ``overruled_by``
    is the user who says so, None for a command. Raises TrainingError if its lists are not all written, or without
    such a note.
    """
    if not release.complete:
        raise TrainingError(f"Release {release.pk} is not complete and cannot be published; train again.")
    prepare(release)
    _point_to(release, overruled_by, note)


@transaction.atomic
def _point_to(release: Release, overruled_by: Any, note: str) -> None:
    release = Release.objects.select_for_update().get(pk=release.pk)
    if release.refused:
        _overrule(release, overruled_by, note.strip())
    publication = Publication.objects.select_for_update().filter(pk=1).first()
    if publication is None:
        Publication.objects.create(pk=1, release=release)
    elif publication.release_id != release.pk:
        publication.previous_id = publication.release_id
        publication.release = release
        publication.save()
    release.published_at = timezone.now()
    release.scheduled = None
    release.save(update_fields=["published_at", "scheduled"])


def schedule(release: Release, moment: datetime | None) -> None:
    """Let `publish_due` publish ``release`` at ``moment``; None: no more.

    Raises TrainingError for one that could not be published then.
    """
    if moment is not None:
        if not release.complete or release.refused:
            raise TrainingError(f"Release {release.pk} is not one that can be published by itself.")
        if moment <= timezone.now():
            raise TrainingError("This moment has passed: publish the release, or choose a later one.")
    release.scheduled = moment
    release.save(update_fields=["scheduled"])


def publish_due() -> list[int]:
    """Publish the release whose moment has come, the newest if several have; returns Release.pks."""
    due = list(Release.objects.filter(scheduled__lte=timezone.now(), complete=True).order_by("pk"))
    if not due:
        return []
    Release.objects.filter(pk__in=[release.pk for release in due]).update(scheduled=None)
    publish(due[-1])
    return [due[-1].pk]


def _overrule(release: Release, user: Any, note: str) -> None:
    longest = Release._meta.get_field("overruled_note").max_length or 0
    if not note:
        raise TrainingError(
            f"Release {release.pk} was refused by its evaluation: {release.refused} To publish it all the same, say "
            f"why: on its page in the admin, or with “manage.py ecomrec_publish {release.pk} --overrule NOTE”."
        )
    if len(note) > longest:
        raise TrainingError(f"The note has {len(note)} characters; at most {longest} are kept: shorten it.")
    release.overruled_by, release.overruled_note = user, note
    release.save(update_fields=["overruled_by", "overruled_note"])


@transaction.atomic
def rollback() -> Release:
    """Return to the release shown before, and hand it back; a second roll back goes one further.

    Raises TrainingError if there is none.
    """
    publication = Publication.objects.select_for_update().select_related("previous").filter(pk=1).first()
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
    """Delete releases beyond ``ECOMREC["RELEASES_KEPT"]`` and unfinished ones, never the published or the previous.

    Returns how many went. Lists go in small chunks, so that no page waits long. What a release foretold stays with its
    training run, as ``metrics["evaluation"]`` beside its number, so that the quality of many trainings can be compared.
    """
    publication = Publication.objects.filter(pk=1).first()
    kept: set[int | None] = {publication.release_id, publication.previous_id} if publication else set()
    newest = Release.objects.filter(complete=True).order_by("-pk").values_list("pk", flat=True)
    kept |= set(newest[: max(conf.RELEASES_KEPT, 1)])
    old = Release.objects.exclude(pk__in=[pk for pk in kept if pk]).exclude(run__status=TrainingRun.Status.RUNNING)
    deleted = 0
    for pk in list(old.values_list("pk", flat=True)):
        while some := list(OfferList.objects.filter(release_id=pk).values_list("pk", flat=True)[:LOOKUP]):
            OfferList.objects.filter(pk__in=some).delete()
        shutil.rmtree(folder_of(pk), ignore_errors=True)
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
