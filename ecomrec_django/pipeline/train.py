"""From events to a release: history, strategies, lists."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from ..conf import conf
from ..errors import DataError
from ..learning.interactions import ITEMS, VISITORS, schema
from ..learning.training_data import TrainingData
from ..models import Item, OfferList, Publication, Release, TrainingRun, Visitor
from ..models.bulk import aware, chunks, insert
from ..strategies.base import Lists, Strategy, short
from .history import HistoryReport, export_history, folder
from .learned import folder_of
from .lists import ItemNames, encoded
from .lock import only_one
from .looks import looks_of
from .progress import Progress, Reporter
from .publish import prune, publish
from .review import prepare
from .runs import finish, recorded
from .sequences import networks
from .worth import expected_margin

if TYPE_CHECKING:
    import pyarrow as pa

    from ..learning.evaluation import Evaluation
    from .personal import Learned

logger = logging.getLogger(__name__)

# Lists of one transaction: few enough that a shopper's write never waits long.
LISTS_PER_TRANSACTION = 5_000
SHARES = {"history": 15, "strategy": 20, "shoppers": 80, "lists": 25, "profiles": 10, "publish": 5}

# A strategy, the kind of owner ("anchor", "category", or "" for everybody), and its lists.
Made = tuple[str, str, Lists]


class Stage(NamedTuple):
    """Work to do before the history is read, such as the import of orders.

    ``work`` is called with a progress callable (done, total); what it returns goes into the run's metrics.
    """

    name: str
    share: int
    work: Callable[[Callable[[int, int], None]], Any]


def train(
    until: datetime | None = None,
    publish: bool = False,
    progress: Progress | None = None,
    before: Sequence[Stage] = (),
) -> TrainingRun:
    """Make a release from the events before ``until`` (all if None), and with ``publish`` show it to shoppers.

    Returns the finished run, whose ``release`` is complete and whose ``message`` says what a merchant should know.
    Raises TrainingError if another training is running, or after marking this run failed; what is published then stays.
    """
    strategies = {name: made() for name, made in conf.STRATEGIES.items()}
    with only_one(), recorded(TrainingRun.Kind.RELEASE, until) as run:
        _Training(run, strategies, progress, before).walk(publish)
    return run


class _Training:
    def __init__(
        self, run: TrainingRun, strategies: dict[str, Strategy], progress: Progress | None, before: Sequence[Stage]
    ) -> None:
        self.run = run
        self.strategies = strategies
        self.before = before
        total = sum(SHARES.values()) + SHARES["strategy"] * (len(strategies) - 1) + sum(stage.share for stage in before)
        self.report = Reporter(run, total, progress)

    def walk(self, publishes: bool) -> None:
        for stage in self.before:
            with self.report.stage(stage.name, stage.share):
                self.run.metrics[stage.name] = stage.work(self.report)
        # What happens from now on is not learned from, and is read by pages as later events.
        self.until = aware(self.run.until or timezone.now())
        with self.report.stage("history", SHARES["history"]):
            history = export_history(self.report)
            items = items_table()
        self.run.metrics.update(events=history.total, items=items.num_rows)
        self.run.save(update_fields=["metrics"])
        made, learned = self._learn(history, items)
        release = self._write(made, items)
        if learned is not None:
            with self.report.stage("profiles", SHARES["profiles"]):
                self._keep(release, learned, items)
                for strategy, owner, lists in made:
                    if owner == "anchor" and len(lists.owners):
                        worth = expected_margin(lists, learned.model, items, conf.LIMIT)
                        release.metrics[strategy]["expected_margin"] = round(worth, 2)
        release.complete = True
        release.save()
        with self.report.stage("publish", SHARES["publish"]):
            self._finish(release, history, publishes, learned)

    def _learn(self, history: HistoryReport, items: pa.Table) -> tuple[list[Made], Learned | None]:
        """The lists of all strategies, and what was learned of shoppers; none where there is nothing to learn from."""
        from .personal import aisles, learn
        from .profiles import known_segments

        made: list[Made] = []
        if items.num_rows == 0:
            return made, None
        data = training_data(history, items, self.until, self.report)
        for name, strategy in self.strategies.items():
            with self.report.stage(name, SHARES["strategy"]):
                lists = strategy.make(data)
            made += [(name, "anchor", lists.by_item), (name, "category", lists.by_category)]
            made += [(name, "", lists.for_all)]
        with self.report.stage("shoppers", SHARES["shoppers"]):
            known = known_segments(aisles(items))
            return made, learn(data, items, self.strategies, known, self.until.timestamp(), self.report, networks())

    def _keep(self, release: Release, learned: Learned, items: pa.Table) -> None:
        """The model for web processes, the evaluation and what the gate says of it, segments and profiles."""
        from ..learning.artifact import store
        from ..learning.gate import refusals, unjudged
        from .personal import aisles
        from .profiles import store_profiles, store_segments

        folder = folder_of(release.pk)
        if folder.exists():
            shutil.rmtree(folder)
        release.digest = store(learned.model, folder)
        if learned.evaluation is not None:
            release.evaluation = learned.evaluation.to_json()
            found = refusals(learned.evaluation, _evaluation_of_published())
            release.refused = "\n".join(map(str, found))
            learned.said.extend(map(str, unjudged(learned.evaluation)))
        pks = store_segments(learned.knowledge.segments, aisles(items))
        self.run.metrics["shoppers"] = store_profiles(learned.knowledge, self.until, pks, self.report)
        self.run.metrics["interests"] = {
            **vars(learned.interests.weights),
            "skill": round(learned.interests.skill, 4),
        }
        if learned.moves_up:
            self.run.metrics["moves_up"] = learned.moves_up
        if learned.ablation:
            self.run.metrics["ablation"] = learned.ablation
        segments = learned.knowledge.segments
        self.run.metrics["segments"] = {"found": len(segments.found), "silhouette": short(segments.silhouette)}

    def _write(self, made: list[Made], items: pa.Table) -> Release:
        names = ItemNames.of(items)
        release = Release.objects.create(run=self.run, newest_item=names.pks.max(initial=0))
        total, done = sum(len(lists.owners) for _, _, lists in made), 0
        with self.report.stage("lists", SHARES["lists"]):
            for strategy, owner, lists in made:
                written = 0
                for owners, texts in encoded(lists, names):
                    fields = ("release", "strategy", "offers", *([owner] if owner else []))
                    rows = [
                        (release.pk, strategy, text, *([pk] if owner else []))
                        for pk, text in zip(owners, texts, strict=True)
                    ]
                    for some in chunks(rows, LISTS_PER_TRANSACTION):
                        with transaction.atomic():
                            insert(OfferList, fields, some)
                        done += len(some)
                        self.report(done, total)
                    written += len(rows)
                figures = release.metrics.setdefault(strategy, {"lists": 0, "category_lists": 0, "offers": 0})
                figures["lists" if owner == "anchor" else "category_lists"] += written
                figures["offers"] += len(lists.items)
        release.save(update_fields=["metrics"])
        return release

    def _finish(self, release: Release, history: HistoryReport, publishes: bool, learned: Learned | None) -> None:
        lists = sum(figures["lists"] + figures["category_lists"] for figures in release.metrics.values())
        said = [f"Release {release.pk}: {lists} offer lists."]
        if not self.run.metrics["items"]:
            said.append("The catalog has no products; there is nothing to recommend yet.")
        elif not history.total:
            said.append("There are no orders or other events yet; the lists are made from the catalog alone.")
        if history.rebuilt:
            said.append(f"The history was rebuilt: {history.rebuilt}.")
        if learned is not None:
            said += learned.said
        if release.refused:
            said.append(f"It foretells worse than it has to, and is not published: {release.refused}")
        prepare(release)
        if publishes and not lists and Publication.objects.exists():
            said.append("It is empty and was not published, so that shoppers keep the offers they have.")
        elif publishes and not release.refused:
            publish(release)
            said.append("It is published.")
        prune()
        finish(self.run, " ".join(said))


def training_data(
    history: HistoryReport, items: pa.Table, until: datetime, progress: Callable[[int, int], None]
) -> TrainingData:
    """All that may be learned from of the ``items`` (columns ITEMS): the exported history before ``until``."""
    from ..learning.engine import Engine
    from ..learning.interactions import HISTORY

    looks, looks_by = looks_of(items)
    return TrainingData(
        engine=Engine(memory=conf.MEMORY, threads=conf.THREADS),
        looks=looks,
        looks_by=looks_by,
        events=str(folder()) if history.total else schema(HISTORY).empty_table(),
        items=items,
        visitors=visitors_table(),
        until=until,
        progress=progress,
    )


def _evaluation_of_published() -> Evaluation | None:
    """None where nothing is published, or where that was judged by another version of this package."""
    from ..learning.evaluation import Evaluation

    stored = Publication.objects.filter(pk=1).values_list("release__evaluation", flat=True).first()
    if not stored:
        return None
    try:
        return Evaluation.of_json(stored)
    except DataError as error:
        logger.warning("The new release is not compared with the published one: %s", error)
        return None


def items_table(items: QuerySet[Item] | None = None) -> pa.Table:
    """Some items, or the whole mirror of the catalog, as an Arrow table of columns ITEMS, sorted by item.

    An item without a category is taken to be of the one that its picture suggests.
    """
    import pyarrow as pa

    rows = (
        (Item.objects.all() if items is None else items)
        .order_by("pk")
        .values_list(
            "pk",
            "external_id",
            "title",
            "description",
            "brand",
            Coalesce("category_id", "picture__category_id"),
            Coalesce("category__aisle_id", "picture__category__aisle_id"),
            Coalesce("category__path", "picture__category__path"),
            "price",
            "cost",
            "rating",
            "attributes",
            "available",
            "active",
        )
    )
    types = schema(ITEMS)
    columns = list(zip(*rows.iterator(chunk_size=10_000), strict=True))
    if not columns:
        return types.empty_table()
    blank = {
        "category": 0,
        "aisle": 0,
        "category_path": "",
        "price": float("nan"),
        "cost": float("nan"),
        "rating": float("nan"),
        "attributes": "",
    }
    convert: dict[str, Callable[[Any], Any]] = {"price": float, "cost": float, "rating": float, "attributes": _lines}
    arrays = []
    for column, values in zip(types, columns, strict=True):
        if column.name in blank:
            change, missing = convert.get(column.name, lambda value: value), blank[column.name]
            filled = [missing if value is None else change(value) for value in values]
            arrays.append(pa.array(filled, column.type))
        else:
            arrays.append(pa.array(values, column.type))
    return pa.Table.from_arrays(arrays, schema=types)


def _lines(attributes: dict[str, str]) -> str:
    return "\n".join(f"{name}={value}" for name, value in sorted(attributes.items()))


def visitors_table() -> pa.Table:
    """The visitors that joined an account or withdrew consent, as an Arrow table of columns VISITORS."""
    import pyarrow as pa

    excluded = Coalesce("merged_into__excluded_until", "excluded_until")
    rows = (
        Visitor.objects.annotate(excluded=excluded)
        .filter(Q(merged_into__isnull=False) | Q(excluded__isnull=False))
        .order_by("pk")
        .values_list("pk", "merged_into", "excluded")
    )
    columns: list[list[Any]] = [[], [], []]
    for pk, merged_into, until in rows.iterator(chunk_size=10_000):
        for column, value in zip(columns, (pk, merged_into or pk, until and aware(until)), strict=True):
            column.append(value)
    types = schema(VISITORS)
    arrays = [pa.array(values, column.type) for values, column in zip(columns, types, strict=True)]
    return pa.Table.from_arrays(arrays, schema=types)
