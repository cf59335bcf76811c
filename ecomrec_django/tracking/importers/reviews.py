"""Import of the shop's own reviews; each is stored once, with its current rating."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from ...catalog.adapter import ReviewLine
from ...conf import conf
from ...db import MAX_LOOKUP_IDS, bulk_insert, chunks
from ...errors import DataError
from ...failures import RecordLog, Remark
from ...history.export import mark_stale
from ...learning.progress import Progress, no_progress
from ...models import Event, Kind
from .base import RecordResolver, RecordSource, advance_checkpoint, checkpoint_start, lock_checkpoint
from .lines import clean_review, name_of

CHECKPOINT = "reviews"
CHUNK = 10_000
FIELDS = ("kind", "visitor", "item", "time", "quantity", "rating", "basket", "session", "policy", "key")


@dataclass(kw_only=True)
class ReviewReport:
    """Result of an import.

    reviews: read from the shop
    created: new reviews
    changed: reviews with a changed rating
    skipped: invalid reviews
    reasons: why they are invalid, the most frequent first
    remarks: what is odd about reviews that are imported all the same
    """

    reviews: int = 0
    created: int = 0
    changed: int = 0
    skipped: int = 0
    reasons: list[Remark] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


def import_reviews(progress: Progress = no_progress) -> ReviewReport:
    """Import the shop's reviews as events; ``progress`` is called with (reviews read, 0).

    Raises DataError if the adapter fails half-way, after the reviews before are imported.
    """
    began = timezone.now()
    importer = _ReviewImporter()
    catalog = conf.CATALOG()
    source = RecordSource(f"{type(catalog).__name__}.reviews", catalog.reviews(checkpoint_start(CHECKPOINT)))
    for lines in source.chunks(CHUNK):
        importer.add(lines)
        progress(importer.report.reviews, 0)
    source.check()
    advance_checkpoint(CHECKPOINT, began)
    return importer.report


def import_review(review: Any) -> ReviewReport:
    """Import one row of the adapter's ``review_model`` now."""
    importer = _ReviewImporter()
    line = conf.CATALOG().review_line(review)
    if line is not None:
        checkpoint_start(CHECKPOINT)
        importer.add([line])
    return importer.report


class _ReviewImporter:
    def __init__(self) -> None:
        self.report = ReviewReport()
        self._records = RecordResolver()
        self._log = RecordLog("Review")

    def add(self, lines: Sequence[ReviewLine]) -> None:
        self.report.reviews += len(lines)
        with transaction.atomic(using=router.db_for_write(Event)):
            lock_checkpoint(CHECKPOINT)
            self._records.begin()
            valid = [clean for line in lines if (clean := self._clean(line))]
            self._records.find_items(line.item for line in valid)
            visitors = self._records.find_visitors({line.user for line in valid})
            self.report.created += bulk_insert(
                Event, FIELDS, [self._row(line, visitors) for line in valid], ignore=True
            )
            self.report.changed += self._update(valid)
        self.report.skipped, self.report.reasons = self._log.skipped, self._log.reasons
        self.report.remarks = self._log.remarks

    def _clean(self, line: object) -> ReviewLine | None:
        try:
            clean = clean_review(line, lambda message: self._log.remark(name_of(line), message))
        except DataError as error:
            self._log.skip(name_of(line), error)
            return None
        return clean if self._records.accepts(clean.user, clean.time) else None

    def _row(self, line: ReviewLine, visitors: Any) -> tuple[Any, ...]:
        return (
            Kind.REVIEW.value,
            visitors[line.user],
            self._records.items[line.item],
            self._records.values.time(line.time),
            1,
            line.rating,
            "",
            "",
            "",
            f"review:{line.review}",
        )

    def _update(self, lines: Sequence[ReviewLine]) -> int:
        """Update changed ratings; returns their number."""
        ratings = {f"review:{line.review}": line.rating for line in lines}
        changed = []
        for chunk in chunks(ratings, MAX_LOOKUP_IDS):
            for event in Event.objects.filter(key__in=chunk).only("pk", "key", "rating"):
                if event.rating != ratings[str(event.key)]:
                    event.rating = ratings[str(event.key)]
                    changed.append(event)
        mark_stale(Event.objects.filter(pk__in=[event.pk for event in changed]))
        return Event.objects.bulk_update(changed, ["rating"], batch_size=500)
