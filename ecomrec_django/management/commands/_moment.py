"""Parsing of --until and --since."""

from __future__ import annotations

from datetime import UTC, datetime

from django.core.management.base import CommandError
from django.utils.dateparse import parse_date, parse_datetime


def moment(text: str, option: str = "--until") -> datetime:
    """An ISO 8601 time or date, in UTC unless it names a zone. Raises CommandError."""
    try:
        time = parse_datetime(text)
        if time is None and (day := parse_date(text)):
            time = datetime(day.year, day.month, day.day)
    except ValueError:
        time = None
    if time is None:
        raise CommandError(
            f'{option} {text!r} is not an ISO 8601 time, such as "2017-10-01" or "2017-10-01T12:00:00Z".'
        )
    return time if time.tzinfo else time.replace(tzinfo=UTC)
