"""Several things at the same moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from django.db import connection, connections


def at_once(*works):
    """Call all at the same moment, each in a thread and on a connection of its own; returns what they return."""
    barrier = threading.Barrier(len(works))

    def run(work):
        try:
            connection.ensure_connection()
            barrier.wait(10)
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as threads:
        return [answer.result(60) for answer in [threads.submit(run, work) for work in works]]
