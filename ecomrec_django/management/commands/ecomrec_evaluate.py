"""Evaluate how well offers predict purchases in this shop."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...conf import conf
from ...errors import EcomrecError
from ...learning.evaluation.bootstrap import Interval
from ...learning.evaluation.gate import find_unjudged
from ...learning.evaluation.metrics import BASELINE, Evaluation, Scores, task_of
from ...pipeline.evaluate import EvaluationRun, evaluate
from ._files import write_atomically
from ._moment import moment
from ._progress import Bar

# Name in the table -> metric.
MEANS = {
    "hit": "hit",
    "recall": "recall",
    "nDCG": "ndcg",
    "MRR": "mrr",
    "weighted recall": "popularity_weighted_recall",
    "revenue recall": "revenue",
    "hits": "hits",
    "excess": "excess",
    "own excess": "own_excess",
}
NAME_WIDTH, WIDTH = 20, 27


class Command(BaseCommand):
    help = (
        "Train on the shop's history without its latest purchases, and report how well bestsellers and each method of "
        "this package predict those. Nothing is imported or published; use ecomrec_train for a release."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--until", metavar="ISO-TIME", help="use only events before this time (UTC)")
        parser.add_argument("--json", type=Path, metavar="FILE", help="also write all metrics to this file")

    def handle(self, *args: Any, **options: Any) -> None:
        until = moment(options["until"]) if options["until"] is not None else None
        path: Path | None = options["json"]
        if path is not None:
            _check(path)
        try:
            with Bar("%", total=100) as bar:
                run = evaluate(until, bar.percent)
            if path is not None:
                with write_atomically(path) as file:
                    json.dump(run.evaluation.to_json(), file, indent=1, allow_nan=False)
                    file.write("\n")
        except (EcomrecError, OSError) as error:
            raise CommandError(str(error)) from error
        except ImportError as error:
            raise CommandError(f'{error}. Evaluation needs: pip install "ecomrec-django[learn]".') from error
        for line in _report(run):
            self.stdout.write(line)
        if path is not None:
            self.stdout.write(f"Metrics written to {path}.")


def _check(path: Path) -> None:
    """Raise CommandError if the file cannot be written, before an evaluation that takes minutes."""
    if path.is_dir():
        raise CommandError(f"--json {path} is a folder. Give the name of a file.")
    if not path.parent.is_dir():
        raise CommandError(f"--json {path}: the folder {path.parent} does not exist. Create it first.")


def _report(run: EvaluationRun) -> Iterator[str]:
    evaluation = run.evaluation
    yield f"Purchases from {evaluation.since} to {evaluation.until}, predicted by {evaluation.k} offers each."
    for task in evaluation.tasks:
        yield ""
        yield from _table(evaluation, task)
    yield ""
    yield from map(str, find_unjudged(evaluation))
    yield from run.learned.messages
    yield from _segments(run)
    yield _interests(run)


def _table(evaluation: Evaluation, task: str) -> Iterator[str]:
    """Metrics in rows and methods in columns, with 95 % intervals."""
    size = evaluation.tasks[task]
    yield f"{task}: {size.cases} cases from {size.customers} customers"
    methods = {name: scores for name, scores in evaluation.methods.items() if task_of(name) == task}
    if not methods:
        return
    yield _row("", [_title(name) for name in methods])
    for title, metric in MEANS.items():
        if all(metric in scores.intervals for scores in methods.values()):
            yield _row(title, [_interval(scores.intervals[metric]) for scores in methods.values()])
    overall: dict[str, Callable[[Scores], str]] = {
        "coverage": lambda scores: f"{scores.coverage:.3f}",
        "novelty": lambda scores: f"{scores.novelty:.1f} bits",
        "Gini": lambda scores: f"{scores.gini:.3f}",
        "staples": lambda scores: f"{scores.staples:.3f}",
        "distinct": lambda scores: f"{scores.distinct:.0f}",
    }
    for title, text in overall.items():
        yield _row(title, [text(scores) for scores in methods.values()])
    gains = evaluation.gains
    objective = evaluation.objectives[task]
    title = next(title for title, metric in MEANS.items() if metric == objective)
    yield _row(f"gain in {title}", [_interval(gains[name], "+") if name in gains else "" for name in methods])


def _row(title: str, cells: list[str]) -> str:
    return "".join([f"  {title:{NAME_WIDTH}}", *(f"{cell:{WIDTH}}" for cell in cells)]).rstrip()


def _title(method: str) -> str:
    """The column title of a method; a method without a variant is the list that all shoppers see."""
    variant = method.partition(":")[2]
    return "bestsellers" if variant == BASELINE else variant or "lists"


def _interval(interval: Interval, sign: str = "") -> str:
    return f"{interval.mean:{sign}.3f} ({interval.low:{sign}.3f} … {interval.high:{sign}.3f})"


def _segments(run: EvaluationRun) -> Iterator[str]:
    segmentation = run.learned.snapshot.segments
    if not segmentation.clusters:
        yield "Segments: none, since no known shopper has bought anything."
        return
    shuffled = segmentation.shuffled_silhouette
    quality = f"silhouette {segmentation.silhouette:.2f}, compared with {shuffled:.2f} for shuffled data"
    yield f"Segments: {quality}." if segmentation.useful else "Segments: shoppers differ no more than by chance."
    for description, size in run.segments:
        yield f"  {description}: {size} shoppers"


def _interests(run: EvaluationRun) -> str:
    fitted = run.learned.replay.interests
    weights = conf.INTEREST_WEIGHTS or vars(fitted.weights)
    text = ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in weights.items())
    if conf.INTEREST_WEIGHTS:
        return f"Interests: {text}, from the settings."
    if fitted.skill > 0:
        return f"Interests: {text}, fitted on {fitted.cases} cases; they reduce the loss by {fitted.skill:.1%}."
    return f"Interests: {text}, the defaults; no other weights predicted {fitted.cases} cases better."
