"""What failed or was skipped: counted and logged with its place, for neither breaks a page or an import."""

from __future__ import annotations

import logging
import sysconfig
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from django.conf import settings

from .errors import EcomrecError

logger = logging.getLogger(__name__)

LOG_SECONDS = 3600.0
PACKAGE = str(Path(__file__).parent)
# Folders of code that is not the shop's.
LIBRARIES = (PACKAGE, *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
# Places remembered for LOG_SECONDS, and reasons that are told apart.
MAX_PLACES, MAX_REASONS = 1_000, 50
LOGGED_PER_REASON = 3


class Failure(NamedTuple):
    """One failure.

    area: what failed: a strategy, "cache", "tracking".
    error: the exception.
    consequence: what that means for the shopper.
    """

    area: str
    error: Exception
    consequence: str


def place_of(error: BaseException) -> str:
    """``file:line`` of the innermost frame in the shop's own code, or else of the innermost of all; "" for none."""
    frames = traceback.extract_tb((error.__cause__ or error).__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(LIBRARIES)]
    return "".join(f"{frame.filename}:{frame.lineno}" for frame in (own or frames)[-1:])


class FailureLog:
    """The failures of one process.

    counts: failures by area and the exception's name.
    """

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._logged: dict[tuple[str, str, str], float] = {}
        self._watched: list[list[Failure]] = []

    def note(self, failure: Failure) -> None:
        """Count a failure and log it.

        Under DEBUG with its message and traceback. Elsewhere a message may hold personal data, so the log has the
        exception's name and its place: as an error once an hour for each place, and for debugging otherwise.
        """
        area, error, consequence = failure
        for failures in self._watched:
            failures.append(failure)
        name = type(error).__name__
        self.counts[area, name] += 1
        if settings.DEBUG:
            logger.error("%s (%s): %s", consequence, area, name, exc_info=error)
            return
        place = place_of(error)
        level = logging.ERROR if self._is_due((area, name, place)) else logging.DEBUG
        logger.log(
            level,
            "%s (%s): %s at %s; %s so far. manage.py ecomrec_doctor shows the message and what to do.",
            consequence,
            area,
            name,
            place or "an unknown place",
            self.counts[area, name],
        )

    def _is_due(self, kind: tuple[str, str, str]) -> bool:
        now = monotonic()
        if now - self._logged.get(kind, -LOG_SECONDS) < LOG_SECONDS:
            return False
        if len(self._logged) >= MAX_PLACES:
            self._logged.clear()
        self._logged[kind] = now
        return True

    @contextmanager
    def watch(self) -> Iterator[list[Failure]]:
        """The failures within the block, as they come."""
        failures: list[Failure] = []
        self._watched.append(failures)
        try:
            yield failures
        finally:
            self._watched = [others for others in self._watched if others is not failures]

    def reset(self) -> None:
        """As in a fresh process."""
        self.counts.clear()
        self._logged.clear()


_log = FailureLog()
failure_counts = _log.counts
reset_failures = _log.reset
watch_failures = _log.watch


def note_failure(area: str, error: Exception, consequence: str = "The block is left empty") -> None:
    """As `FailureLog.note`, for this process."""
    _log.note(Failure(area, error, consequence))


@dataclass(kw_only=True)
class Remark:
    """What is wrong with some records.

    message: what is wrong with the first of them.
    example: the id of that record.
    count: how many records.
    """

    message: str
    example: str
    count: int = 0

    def __str__(self) -> str:
        end = "" if self.message.endswith((".", "?")) else "."
        return f"{self.count}, such as {self.example}: {self.message}{end}"


class RecordLog:
    """What is wrong with the records of an import: those skipped, by reason, and what is odd about others.

    what: the kind of record, such as "Product".
    skipped: how many were skipped.
    """

    def __init__(self, what: str) -> None:
        self.skipped = 0
        self._what = what
        self._reasons: dict[tuple[str, str], Remark] = {}
        self._remarks: dict[str, Remark] = {}

    def skip(self, name: str, error: Exception) -> None:
        """Count a record that raised ``error``; the first few of each reason are logged.

        Errors of one type from one line of code are one reason.
        """
        self.skipped += 1
        origin = traceback.extract_tb(error.__traceback__)[-1:]
        kind = type(error).__name__, "".join(f"{frame.filename}:{frame.lineno}" for frame in origin) or str(error)
        if kind not in self._reasons and len(self._reasons) >= MAX_REASONS:
            kind = next(reversed(self._reasons))
        reason = self._reasons.setdefault(kind, Remark(message=message_of(error), example=name))
        reason.count += 1
        if reason.count <= LOGGED_PER_REASON:
            logger.warning("%s %s was skipped: %s", self._what, name, message_of(error))

    def remark(self, name: str, message: str) -> None:
        """Count something odd about a record that is imported all the same; the first is logged."""
        if message not in self._remarks:
            logger.warning("%s %s: %s", self._what, name, message)
        remark = self._remarks.setdefault(message, Remark(message=message, example=name))
        remark.count += 1

    @property
    def reasons(self) -> list[Remark]:
        """Why records were skipped, the most frequent reason first."""
        return sorted(self._reasons.values(), key=lambda reason: -reason.count)

    @property
    def remarks(self) -> list[Remark]:
        """What is odd about records that were not skipped, the most frequent first."""
        return sorted(self._remarks.values(), key=lambda remark: -remark.count)


def message_of(error: BaseException) -> str:
    """What was wrong: the package's own message, or that of another exception with its name and place."""
    if isinstance(error, EcomrecError):
        return str(error)
    place = place_of(error)
    return f"{type(error).__name__}: {error}{f' (at {place})' if place else ''}"
