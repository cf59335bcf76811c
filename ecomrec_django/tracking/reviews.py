"""Reviews, from the shop's own: each counts once, with the stars it has now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from ..catalog.adapter import ReviewLine
from ..conf import conf
from ..errors import DataError
from ..models import Event, Kind
from ..models.bulk import LOOKUP, chunks, insert
from ..pipeline.history import changing
from .cleaning import LONGEST_ID, clean_item, clean_rating, clean_time
from .imports import Records, came_to, since_of, take_turns

CHECKPOINT = "reviews"
CHUNK = 10_000
FIELDS = ("kind", "visitor", "item", "time", "quantity", "rating", "basket", "session", "policy", "key")


@dataclass
class ReviewReport:
    """Reviews read from the shop; new ones; ones whose stars changed; ones that could not be used."""

    reviews: int = 0
    created: int = 0
    changed: int = 0
    skipped: int = 0


def import_reviews(progress: Callable[[int, int], None] | None = None) -> ReviewReport:
    """Copy the shop's reviews into Event; ``progress`` is called with (reviews read, 0)."""
    began = timezone.now()
    importer = _Importer()
    for lines in chunks(conf.CATALOG().reviews(since_of(CHECKPOINT)), CHUNK):
        importer.add(lines)
        if progress:
            progress(importer.report.reviews, 0)
    came_to(CHECKPOINT, began)
    return importer.report


def import_review(review: Any) -> ReviewReport:
    """Copy one row of the catalog's ``review_model`` now."""
    importer = _Importer()
    line = conf.CATALOG().review_line(review)
    if line is not None:
        since_of(CHECKPOINT)
        importer.add([line])
    return importer.report


class _Importer:
    def __init__(self) -> None:
        self.report = ReviewReport()
        self._records = Records()

    def add(self, lines: Sequence[ReviewLine]) -> None:
        self.report.reviews += len(lines)
        with transaction.atomic(using=router.db_for_write(Event)):
            take_turns(CHECKPOINT)
            self._records.begin()
            good = [clean for line in lines if (clean := self._clean(line))]
            self._records.find_items(line.item for line in good)
            visitors = self._records.find_visitors({line.user for line in good})
            self.report.created += insert(Event, FIELDS, [self._row(line, visitors) for line in good], ignore=True)
            self.report.changed += self._update(good)
        self.report.skipped = self._records.skipped

    def _clean(self, line: ReviewLine) -> ReviewLine | None:
        try:
            if len(line.review) > LONGEST_ID:
                raise DataError(f"ids of reviews have at most {LONGEST_ID} characters")
            time = clean_time(line.time)
            clean = line._replace(item=clean_item(line.item), rating=clean_rating(line.rating), time=time)
        except DataError as error:
            self._records.skip(f"Review {line.review}", error)
            return None
        return clean if self._records.wanted(clean.user, time) else None

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
        """Bring ratings that changed up to date; returns how many."""
        ratings = {f"review:{line.review}": line.rating for line in lines}
        changed = []
        for some in chunks(ratings, LOOKUP):
            for event in Event.objects.filter(key__in=some).only("pk", "key", "rating"):
                if event.rating != ratings[str(event.key)]:
                    event.rating = ratings[str(event.key)]
                    changed.append(event)
        changing(Event.objects.filter(pk__in=[event.pk for event in changed]))
        return Event.objects.bulk_update(changed, ["rating"], batch_size=500)
