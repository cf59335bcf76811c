"""The moment that --until names."""

from __future__ import annotations

from datetime import UTC, datetime

from django.core.management.base import CommandError
from django.utils.dateparse import parse_date, parse_datetime


def moment(text: str) -> datetime:
    """An ISO-8601 time, or a day; without a zone it is UTC. Raises CommandError."""
    try:
        found = parse_datetime(text)
        if found is None and (day := parse_date(text)):
            found = datetime(day.year, day.month, day.day)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f'--until {text!r} is not an ISO-8601 time, such as "2017-10-01" or "2017-10-01T12:00:00Z".')
    return found if found.tzinfo else found.replace(tzinfo=UTC)
