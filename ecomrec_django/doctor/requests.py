"""Requests and queries of an examination."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connections, transaction
from django.http import HttpRequest
from django.test import RequestFactory

# Tells the package to record nothing of a request.
PRIVATE = {"Sec-GPC": "1"}


def anonymous_request(path: str = "/") -> HttpRequest:
    """The request of a visitor without an account, a cart or consent."""
    request = RequestFactory(SERVER_NAME=server_name()).get(path, headers=PRIVATE)
    if apps.is_installed("django.contrib.auth"):
        from django.contrib.auth.models import AnonymousUser

        request.user = AnonymousUser()
    if apps.is_installed("django.contrib.sessions"):
        request.session = import_module(settings.SESSION_ENGINE).SessionStore()
    return request


def server_name() -> str:
    """A host name that the project answers to."""
    names = [name.lstrip(".") for name in settings.ALLOWED_HOSTS if name != "*"]
    return names[0] if names else "localhost"


class QueryCount:
    """Counts queries to all databases within a ``with`` block."""

    def __init__(self) -> None:
        self.total = 0
        self._wrappers = ExitStack()

    def __enter__(self) -> QueryCount:
        for connection in connections.all():
            self._wrappers.enter_context(connection.execute_wrapper(self._count))
        return self

    def __exit__(self, *exception: Any) -> None:
        self._wrappers.close()

    def _count(self, execute: Any, *arguments: Any) -> Any:
        self.total += 1
        return execute(*arguments)


@contextmanager
def rolled_back() -> Iterator[None]:
    """Takes back at the end what is written to any database."""
    with ExitStack() as transactions:
        for alias in connections:
            # One that cannot be reached is not written to either.
            with suppress(DatabaseError):
                transactions.enter_context(_rolled_back(alias))
        yield


@contextmanager
def _rolled_back(alias: str) -> Iterator[None]:
    with transaction.atomic(using=alias):
        try:
            yield
        finally:
            transaction.set_rollback(rollback=True, using=alias)
