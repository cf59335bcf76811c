"""Celery tasks; without Celery, functions that can be called but not queued."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, NoReturn

from ..errors import ConfigurationError

try:
    from celery import shared_task
except ModuleNotFoundError as error:
    if error.name != "celery":
        raise
    shared_task = None


class UnqueuedTask:
    """A task without Celery: calling it runs it here, and queueing it raises ConfigurationError."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        update_wrapper(self, function)
        self.run = function
        self.name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns, run in this process."""
        return self.run(*args, **kwargs)

    def apply_async(self, *_: Any, **__: Any) -> NoReturn:
        """Say what is missing."""
        raise ConfigurationError(
            f'Queueing "{self.name}" needs Celery: pip install "ecomrec-django[celery]". Without Celery, run the '
            "ecomrec_… commands on a schedule, for example with cron."
        )

    delay = apply_async


def task(name: str, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator: a shared Celery task with these options, or an `UnqueuedTask` where Celery is not installed."""
    if shared_task is None:
        return lambda function: UnqueuedTask(function, name)
    return shared_task(name=name, **options)
