"""Work for when the response is out, on any server: Django closes the request then, under WSGI and ASGI alike."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest

from ..serving.failures import note_failure


def after_response(request: HttpRequest, work: Callable[[], None]) -> None:
    """Call ``work`` once the last byte is sent; what it raises is noted, never passed on.

    It runs where a request's own database connection may be used, before Django would close it.
    """
    close = request.close

    def closing() -> None:
        close()
        try:
            work()
        except Exception as error:
            note_failure("tracking", error, "Work after a response failed")

    request.close = closing  # type: ignore[method-assign]
