"""Offers for a file of requests."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...errors import EcomrecError
from ...serving.batch import BatchRequest, parse, recommend
from ...serving.reasons import sentence
from ._files import whole
from ._progress import Bar

REQUIRED = ("request", "strategy", "items")
OFFERS = ("request", "rank", "item", "score", "reason")
REJECTS = ("line", "request", "reason")
# Refused rows named on the terminal; the file has all of them.
SHOWN = 20


class Command(BaseCommand):
    help = (
        "Write the offers for each row of a CSV file with the columns request,strategy,items,visitor,limit (items "
        'joined by "|"; visitor and limit may be left out), re-checked against the shop as on a page.'
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--requests", type=Path, required=True, metavar="FILE", help="the CSV file, UTF-8")
        parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="where the offers go")
        parser.add_argument(
            "--rejects", type=Path, metavar="FILE", help="where refused rows go (default: beside the output)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        output: Path = options["output"]
        rejects: Path = options["rejects"] or output.with_name(f"{output.stem}.rejects.csv")
        self.refused: list[tuple[int, str, str]] = []
        try:
            with (
                open(options["requests"], encoding="utf-8-sig", errors="replace", newline="") as file,
                Bar("requests") as bar,
            ):
                offers = _write(output, OFFERS, self._offers(self._requests(file), bar))
            self.refused.sort()
            if self.refused or options["rejects"]:
                _write(rejects, REJECTS, iter(self.refused))
        except (OSError, EcomrecError, csv.Error) as error:
            raise CommandError(str(error)) from error
        for line, _, reason in self.refused[:SHOWN]:
            self.stderr.write(f"Line {line}: {reason}")
        if len(self.refused) > SHOWN:
            self.stderr.write(f"… and {len(self.refused) - SHOWN} more")
        self.stdout.write(f"{offers} offers are in {output}; {len(self.refused)} rows refused.")
        if self.refused:
            self.stdout.write(f"The refused rows are in {rejects}.")

    def _requests(self, file: IO[str]) -> Iterator[BatchRequest]:
        rows = csv.DictReader(file)
        missing = [name for name in REQUIRED if name not in (rows.fieldnames or ())]
        if missing:
            raise CommandError(f"The requests file lacks the columns {', '.join(missing)}.")
        for row in rows:
            try:
                yield parse(rows.line_num, row)
            except EcomrecError as error:
                self.refused.append((rows.line_num, row["request"] or "", str(error)))

    def _offers(self, requests: Iterator[BatchRequest], bar: Bar) -> Iterator[tuple[Any, ...]]:
        for done, (request, found) in enumerate(recommend(requests), 1):
            bar.count(done, 0)
            if isinstance(found, EcomrecError):
                self.refused.append((request.line, request.request, str(found)))
                continue
            for rank, kept in enumerate(found, 1):
                yield request.request, rank, kept.offer.item, kept.offer.score, sentence(kept.offer)


def _write(path: Path, header: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> int:
    """Write a CSV file whole or not at all; returns the number of rows."""
    count = 0
    with whole(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow(row)
            count += 1
    return count
