"""Say how well offers foretell what is bought in this shop."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...conf import conf
from ...errors import EcomrecError
from ...learning.bootstrap import Interval
from ...learning.evaluation import BASELINE, Evaluation, Scores, task_of
from ...learning.gate import unjudged
from ...pipeline.evaluate import Evaluated, evaluate
from ._files import whole
from ._moment import moment
from ._progress import Bar

# Name in the table -> metric, in 0…1.
MEANS = {
    "hit": "hit",
    "recall": "recall",
    "nDCG": "ndcg",
    "MRR": "mrr",
    "recall, rare more": "popw",
    "recall, by revenue": "revenue",
}
NAME_WIDTH, WIDTH = 20, 27


class Command(BaseCommand):
    help = (
        "Learn from the shop's history but for its latest purchases, and say how well bestsellers and each "
        "method of this package foretell these. Nothing is imported or published: run ecomrec_train for a release."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--until", metavar="ISO-TIME", help="look only at events before this moment (UTC)")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file, too")

    def handle(self, *args: Any, **options: Any) -> None:
        until = moment(options["until"]) if options["until"] is not None else None
        path: Path | None = options["json"]
        if path is not None:
            _check(path)
        try:
            with Bar("%", total=100) as bar:
                found = evaluate(until, bar.percent)
            if path is not None:
                with whole(path) as file:
                    json.dump(found.evaluation.to_json(), file, indent=1, allow_nan=False)
                    file.write("\n")
        except (EcomrecError, OSError) as error:
            raise CommandError(str(error)) from error
        except ImportError as error:
            raise CommandError(f'{error}. Evaluating needs: pip install "ecomrec-django[learn]".') from error
        for line in _report(found):
            self.stdout.write(line)
        if path is not None:
            self.stdout.write(f"The figures are in {path}.")


def _check(path: Path) -> None:
    """Raises CommandError for a file that cannot be written, before the work, which takes minutes."""
    if path.is_dir():
        raise CommandError(f"--json {path} is a folder: name a file in it.")
    if not path.parent.is_dir():
        raise CommandError(f"--json {path}: there is no folder {path.parent}: make it first.")


def _report(found: Evaluated) -> Iterator[str]:
    evaluation = found.evaluation
    yield f"Foretold: purchases from {evaluation.since} to {evaluation.until}, by {evaluation.k} offers each."
    for task in evaluation.tasks:
        yield ""
        yield from _table(evaluation, task)
    yield ""
    yield from map(str, unjudged(evaluation))
    yield from found.learned.said
    yield from _segments(found)
    yield _interests(found)


def _table(evaluation: Evaluation, task: str) -> Iterator[str]:
    """Metrics by rows, methods by columns, with 95 % intervals."""
    size = evaluation.tasks[task]
    yield f"{task}: {size.cases} cases of {size.customers} customers"
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
    }
    for title, text in overall.items():
        yield _row(title, [text(scores) for scores in methods.values()])
    gains = evaluation.gains
    yield _row("gain in nDCG", [_interval(gains[name], "+") if name in gains else "" for name in methods])


def _row(title: str, cells: list[str]) -> str:
    return "".join([f"  {title:{NAME_WIDTH}}", *(f"{cell:{WIDTH}}" for cell in cells)]).rstrip()


def _title(method: str) -> str:
    """A method's column; that of a task alone is its lists, which are the same for everybody."""
    variant = method.partition(":")[2]
    return "bestsellers" if variant == BASELINE else variant or "lists"


def _interval(one: Interval, sign: str = "") -> str:
    return f"{one.mean:{sign}.3f} ({one.low:{sign}.3f} … {one.high:{sign}.3f})"


def _segments(found: Evaluated) -> Iterator[str]:
    groups = found.learned.knowledge.segments
    if not groups.found:
        yield "Segments: nobody known has bought anything."
        return
    more = f"silhouette {groups.silhouette:.2f}, of shuffled shoppers {groups.chance:.2f}"
    yield f"Segments: {more}." if groups.useful else "Segments: shoppers do not differ more than by chance."
    for described, size in found.segments:
        yield f"  {described}: {size} shoppers"


def _interests(found: Evaluated) -> str:
    fitted = found.learned.interests
    weights = conf.INTEREST_WEIGHTS or vars(fitted.weights)
    text = ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in weights.items())
    if conf.INTEREST_WEIGHTS:
        return f"Interests: {text}, as the shop has set them."
    if fitted.skill > 0:
        return f"Interests: {text}, fitted on {fitted.cases} cases; they save {fitted.skill:.1%} of the loss."
    return f"Interests: {text}, which are the defaults: {fitted.cases} cases foretold nothing better."
