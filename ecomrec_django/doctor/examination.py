"""The whole examination, part by part."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..catalog.adapter import Catalog
from ..conf import conf
from ..errors import EcomrecError
from ..failures import message_of
from .findings import Finding, Level, failure
from .operations import consent, release, rules, schedule
from .orders import orders, reviews
from .pages import block, tags
from .products import products
from .surroundings import artifacts, broker, cache, database, redis, system_checks

# What these log while they are examined becomes a finding.
LOGGERS = ("ecomrec_django", "django.request")


def examine_installation() -> Iterator[Finding]:
    """All findings, in the order in which problems follow from one another. Nothing stays written."""
    with _quiet():
        check_findings = _examined(system_checks)
        yield from check_findings
        is_sound = not any(finding.level is Level.FAILURE for finding in check_findings)
        database_findings = list(_examined(database))
        yield from database_findings
        failures = {finding.subject for finding in database_findings if finding.level is Level.FAILURE}
        for part in (cache, artifacts, redis, broker, tags):
            yield from _examined(part)
        # What the system checks refuse need not be tried.
        catalog = _catalog() if is_sound else None
        if catalog is not None and "database" not in failures:
            yield from _examined(lambda: products(catalog), "products")
            yield from _examined(lambda: orders(catalog), "orders")
            yield from _examined(lambda: reviews(catalog), "reviews")
        if not failures:
            for part in (schedule, consent, release, rules):
                yield from _examined(part)
        if not failures and catalog is not None:
            yield from _examined(lambda: block(catalog), "block")


def _catalog() -> Catalog | None:
    """The shop's adapter; None where the system checks say why there is none."""
    try:
        catalog = conf.CATALOG()
    except Exception:
        return None
    return catalog if isinstance(catalog, Catalog) else None


def _examined(part: Callable[[], Iterator[Finding]], name: str = "") -> list[Finding]:
    """The findings of one part; one that fails on its own is a finding as well."""
    findings: list[Finding] = []
    try:
        for finding in part():
            findings.append(finding)  # noqa: PERF402  those before an error count
    except EcomrecError as error:
        findings.append(failure(name or part.__name__, str(error), ""))
    except Exception as error:
        message = f"it could not be examined: {message_of(error)}"
        findings.append(failure(name or part.__name__, message, "Correct this, and run the doctor again."))
    return findings


@contextmanager
def _quiet() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
