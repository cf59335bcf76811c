"""Work after the response, on WSGI and ASGI servers alike: Django closes the request then."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest

from ..failures import note_failure
from .omissions import flush_omissions


def after_response(request: HttpRequest, work: Callable[[], None]) -> None:
    """Call ``work`` after the last byte is sent, then write the counts of ignored events if that is due.

    Failures are recorded, never raised. The request's own database connection may be used: Django closes it
    afterwards, also if it died meanwhile.
    """
    close = request.close

    def close_after_work() -> None:
        try:
            close()
        finally:
            _try(work, "Work after a response failed")
            _try(flush_omissions, "Counts of ignored events are not written yet")

    request.close = close_after_work  # type: ignore[method-assign]


def _try(work: Callable[[], None], consequence: str) -> None:
    try:
        work()
    except Exception as error:
        note_failure("tracking", error, consequence)
