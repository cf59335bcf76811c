"""What another thread, with database connections of its own, runs into."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any

from django.db import connections


def raised_in_a_thread(work: Callable[..., Any], *arguments: Any) -> Exception | None:
    """Run ``work`` to its end beside this thread; returns what it raised."""
    raised: list[Exception] = []

    def run() -> None:
        try:
            work(*arguments)
        except Exception as error:
            raised.append(error)
        finally:
            connections.close_all()

    thread = Thread(target=run)
    thread.start()
    thread.join()
    return raised[0] if raised else None
