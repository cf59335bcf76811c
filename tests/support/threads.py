"""Work in other threads, each on database connections of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, connections

# For what has to happen, on however busy a machine.
SECONDS = 300


def raised_in_a_thread(work: Callable[..., Any], *arguments: Any) -> Exception | None:
    """Run ``work`` to its end beside this thread; returns what it raised."""
    with ThreadPoolExecutor(1) as pool:
        error = pool.submit(_on_own_connections, work, *arguments).exception()
    if error is not None and not isinstance(error, Exception):
        raise error
    return error


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Call all at the same moment, each in a thread of its own; returns what they return."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        connection.ensure_connection()
        barrier.wait(SECONDS)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        futures = [pool.submit(_on_own_connections, run, work) for work in works]
        return [future.result(SECONDS) for future in futures]


@contextmanager
def meanwhile(work: Callable[[], Any]) -> Iterator[Future[Any]]:
    """``work`` in a thread; at the end of the block it is waited for, and raises here what it raised there."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(_on_own_connections, work)
        yield future
        future.result(SECONDS)


class Pause:
    """Where a function waits until it is released.

    Attributes: ``reached`` is set once it waits; set ``release`` to let it go on.
    """

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.release = threading.Event()

    def wait(self) -> None:
        self.reached.set()
        assert self.release.wait(SECONDS)

    def wait_until_reached(self) -> None:
        assert self.reached.wait(SECONDS)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Once it waits; it is released at the end of the block, whatever happens."""
        try:
            self.wait_until_reached()
            yield
        finally:
            self.release.set()


def pause_before(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> Pause:
    """Make a function of a module or class wait each time before it works."""
    pause, function = Pause(), getattr(owner, name)

    def waiting(*arguments: Any, **options: Any) -> Any:
        pause.wait()
        return function(*arguments, **options)

    monkeypatch.setattr(owner, name, waiting)
    return pause


def pause_after(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> Pause:
    """Make a function of a module or class wait each time once it has worked."""
    pause, function = Pause(), getattr(owner, name)

    def waiting(*arguments: Any, **options: Any) -> Any:
        answer = function(*arguments, **options)
        pause.wait()
        return answer

    monkeypatch.setattr(owner, name, waiting)
    return pause


def _on_own_connections(work: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return work(*arguments)
    finally:
        connections.close_all()
