"""Offers for a file of requests."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet

from ...conf import conf
from ...db import iterate_by_key
from ...errors import DataError, EcomrecError
from ...serving.batch import BatchRequest, BatchResult, parse, recommend
from ...serving.batch_shoppers import Audience
from ...serving.reasons import sentence
from ...serving.registry import strategy_named
from ...tracking.importers.delimited import DelimitedTable
from ._files import write_atomically
from ._progress import Bar

REQUIRED = ("request", "strategy", "items")
OFFERS = ("request", "rank", "item", "score", "reason")
REJECTS = ("line", "request", "reason")
# Rejected rows shown on the terminal; the file has all of them.
SHOWN = 20


AUDIENCES = {
    Audience.PERSONAL: "ranked for their visitor",
    Audience.UNKNOWN: "of unknown visitors, with offers for everybody",
    Audience.NOT_AGREED: "of visitors without recorded consent, with offers for everybody",
    Audience.EXCLUDED: "without offers: their visitor withdrew consent or was erased",
}


class Command(BaseCommand):
    help = (
        "Write the offers for each row of a CSV file with the columns request,strategy,items,visitor,limit (items "
        'joined by "|"; visitor, the primary key of an account or a visitor token, and limit are optional), ranked and '
        "checked as on a page. With --all-visitors: for each account that is known and has agreed, by its primary key."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--requests", type=Path, metavar="FILE", help="text with commas, semicolons or tabs")
        source.add_argument("--all-visitors", action="store_true", help="one request for each account, without a file")
        parser.add_argument(
            "--strategy", default="for_you", help="with --all-visitors: whose offers (default: for_you)"
        )
        parser.add_argument("--limit", default="", help="with --all-visitors: offers for each account at most")
        parser.add_argument("--encoding", default="", help="of FILE, such as cp1252; UTF-8 and UTF-16 are detected")
        parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="file for the offers")
        parser.add_argument(
            "--rejects", type=Path, metavar="FILE", help="file for rejected rows (default: next to the output)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        output: Path = options["output"]
        rejects: Path = options["rejects"] or output.with_name(f"{output.stem}.rejects.csv")
        self.rejected: list[tuple[int, str, str]] = []
        self.audiences: Counter[Audience | None] = Counter()
        self.answered = 0
        try:
            if options["all_visitors"]:
                accounts = get_user_model()._default_manager.all()
                requests = _of_accounts(accounts, options["strategy"], options["limit"])
                with Bar("accounts") as bar:
                    requests = _counted(requests, bar, accounts.count())
                    count = _write(output, OFFERS, self._offers(recommend(requests, known_only=True)))
            else:
                table = DelimitedTable(Path(options["requests"]), options["encoding"])
                with Bar("requests") as bar:
                    requests = _counted(self._requests(table), bar, 0)
                    count = _write(output, OFFERS, self._offers(recommend(requests)))
            self.rejected.sort()
            if self.rejected or options["rejects"]:
                _write(rejects, REJECTS, iter(self.rejected))
        except (OSError, EcomrecError) as error:
            raise CommandError(str(error)) from error
        self._summarise(count, output, rejects)
        if self.rejected and not self.answered:
            raise CommandError(f"All rows were rejected, the first one because: {self.rejected[0][2]}.")

    def _summarise(self, count: int, output: Path, rejects: Path) -> None:
        for line, _, reason in self.rejected[:SHOWN]:
            self.stderr.write(f"Line {line}: {reason}")
        if len(self.rejected) > SHOWN:
            self.stderr.write(f"… and {len(self.rejected) - SHOWN} more")
        self.stdout.write(f"{count} offers written to {output}; {len(self.rejected)} rows rejected.")
        for audience, text in AUDIENCES.items():
            if self.audiences[audience]:
                self.stdout.write(f"{self.audiences[audience]} requests {text}.")
        if self.rejected:
            self.stdout.write(f"Rejected rows written to {rejects}.")

    def _requests(self, table: DelimitedTable) -> Iterator[BatchRequest]:
        missing = [name for name in REQUIRED if name not in table.header]
        if missing:
            raise CommandError(f"The request file has no column {', '.join(missing)}.")
        strategy = table.header.index("strategy")
        table.looks_like_row = lambda cells: cells[strategy].strip().replace("-", "_") in conf.STRATEGIES
        for line, cells, problem in table.records():
            if problem:
                self.rejected.append((line, "", problem))
            elif cells:
                row = dict(zip(table.header, cells, strict=True))
                try:
                    yield parse(line, row)
                except EcomrecError as error:
                    self.rejected.append((line, row["request"], str(error)))

    def _offers(self, results: Iterator[BatchResult]) -> Iterator[tuple[Any, ...]]:
        for result in results:
            request, offers = result.request, result.offers
            self.audiences[result.audience] += 1
            if isinstance(offers, EcomrecError):
                self.rejected.append((request.line, request.request, str(offers)))
                continue
            self.answered += 1
            for rank, eligible in enumerate(offers, 1):
                yield request.request, rank, eligible.offer.item, eligible.offer.score, sentence(eligible.offer)


def _of_accounts(accounts: QuerySet[Any], strategy: str, limit: str) -> Iterator[BatchRequest]:
    """A request for each account, by its primary key. Raises DataError for an invalid strategy or limit."""
    name = strategy.replace("-", "_")
    if strategy_named(name).needs_anchor:
        raise DataError(
            f"Offers of {name} stand beside items: give --all-visitors a strategy without, such as for_you."
        )
    for line, account in enumerate(iterate_by_key(accounts.only("pk")), 1):
        key = str(account.pk)
        yield parse(line, {"request": key, "strategy": strategy, "items": "", "visitor": key, "limit": limit})


def _counted(requests: Iterator[BatchRequest], bar: Bar, total: int) -> Iterator[BatchRequest]:
    for done, request in enumerate(requests, 1):
        bar.count(done, total)
        yield request


def _write(path: Path, header: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> int:
    """Write a CSV file atomically; returns the number of rows."""
    count = 0
    with write_atomically(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow(row)
            count += 1
    return count
