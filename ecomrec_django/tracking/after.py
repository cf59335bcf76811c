"""Work for when the response is out, on any server: Django closes the request then, under WSGI and ASGI alike."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest

from ..serving.failures import note_failure
from .tally import flush


def after_response(request: HttpRequest, work: Callable[[], None]) -> None:
    """Call ``work`` once the last byte is sent, then write the counts of what was left out if that is due.

    What fails is noted, never passed on. It runs where a request's own database connection may be used, before Django
    would close it; one that has died is closed by Django right after, for an error was seen on it.
    """
    close = request.close

    def closing() -> None:
        try:
            close()
        finally:
            _try(work, "Work after a response failed")
            _try(flush, "Counts of events left out are not written yet")

    request.close = closing  # type: ignore[method-assign]


def _try(work: Callable[[], None], consequence: str) -> None:
    try:
        work()
    except Exception as error:
        note_failure("tracking", error, consequence)
