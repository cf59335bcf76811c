"""What an examination finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was examined.

    subject: what it is about, such as "price" or "database".
    level: how bad it is.
    message: what was found.
    remedy: what to do about it; "" if nothing.
    """

    subject: str
    level: Level
    message: str
    remedy: str = ""


def ok(subject: str, message: str) -> Finding:
    """Nothing is wrong."""
    return Finding(subject=subject, level=Level.OK, message=message)


def warning(subject: str, message: str, remedy: str) -> Finding:
    """Something may be wrong, or will be."""
    return Finding(subject=subject, level=Level.WARNING, message=message, remedy=remedy)


def failure(subject: str, message: str, remedy: str) -> Finding:
    """Something does not work."""
    return Finding(subject=subject, level=Level.FAILURE, message=message, remedy=remedy)
