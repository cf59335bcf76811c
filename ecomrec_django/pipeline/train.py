"""From events to a release: history, strategies, lists, the model of web processes, evaluation and profiles."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import transaction
from django.utils import timezone

from ..artifacts import release_folder
from ..conf import conf
from ..db import bulk_insert, chunks, to_aware
from ..history.export import HistoryReport, export_history
from ..learning.progress import Progress
from ..locks import exclusive
from ..merchandising.review import queue_for_review
from ..merchandising.rule_matches import unmatched_message, unmatched_rules
from ..models import OfferList, Publication, Release, StrategyVerdict, TrainingRun
from ..strategies.base import Lists, Strategy, round_for_json
from .dataset import items_table, training_data
from .expected_margin import expected_margin
from .list_encoding import ItemNames, encode_lists
from .notices import notify_of_held
from .progress import Reporter, StageProgress
from .publish import can_publish, prune, publish
from .runs import finish_run, recorded_run
from .sequence_networks import load_sequence_networks
from .share_limits import limit_shares
from .verdicts import judge

if TYPE_CHECKING:
    import pyarrow as pa

    from .learners import LearnedModel

logger = logging.getLogger(__name__)

# Lists of one transaction: few enough that a shopper's write never waits long.
LISTS_PER_TRANSACTION = 5_000
SHARES = {"history": 15, "strategy": 20, "shoppers": 80, "lists": 25, "profiles": 10, "publish": 5}


class StrategyOutput(NamedTuple):
    """Lists of one strategy by the kind of their owners: "anchor", "category", or "" for everybody."""

    strategy: str
    owner: str
    lists: Lists


class Stage(NamedTuple):
    """Work to do before the history is read, such as the import of orders.

    name: of the stage in the run's progress.
    share: of the whole work, as in SHARES.
    work: called with a progress callable (done, total); what it returns goes into the run's metrics.
    """

    name: str
    share: int
    work: Callable[[Progress], Any]


def train(
    until: datetime | None = None,
    *,
    publish: bool = False,
    progress: StageProgress | None = None,
    before: Sequence[Stage] = (),
) -> TrainingRun:
    """Make a release from the events before ``until`` (all if None), and with ``publish`` show it to shoppers.

    Returns the finished run, whose ``release`` is complete and whose ``message`` says what a merchant should know.
    Raises TrainingError if another training is running, or after marking this run failed; what is published then stays.
    """
    strategies = {name: made() for name, made in conf.STRATEGIES.items()}
    with exclusive(), recorded_run(TrainingRun.Kind.RELEASE, until) as run:
        _TrainingRun(run, strategies, progress, before).run(publishes=publish)
    return run


class _TrainingRun:
    def __init__(
        self,
        record: TrainingRun,
        strategies: dict[str, Strategy],
        progress: StageProgress | None,
        before: Sequence[Stage],
    ) -> None:
        self.record = record
        self.strategies = strategies
        self.before = before
        # See `Release.most_shown`.
        self.most_shown: dict[str, list[tuple[str, float]]] = {}
        total = sum(SHARES.values()) + SHARES["strategy"] * (len(strategies) - 1) + sum(stage.share for stage in before)
        self.report = Reporter(record, total, progress)

    def run(self, *, publishes: bool) -> None:
        for stage in self.before:
            with self.report.stage(stage.name, stage.share):
                self.record.metrics[stage.name] = stage.work(self.report)
        # What happens from now on is not learned from, and is read by pages as later events.
        self.until = to_aware(self.record.until or timezone.now())
        with self.report.stage("history", SHARES["history"]):
            history = export_history(self.report)
            items = items_table()
        active = int(items["active"].to_numpy(zero_copy_only=False).sum())
        self.record.metrics.update(events=history.total, items=items.num_rows, active_items=active)
        self.record.save(update_fields=["metrics"])
        outputs, learned = self._learn(history, items)
        release = self._write_lists(outputs, items)
        if learned is not None:
            with self.report.stage("profiles", SHARES["profiles"]):
                self._store_learned(release, learned, items)
                for output in outputs:
                    if output.owner == "anchor" and len(output.lists.owners):
                        margin = expected_margin(output.lists, learned.model, items, conf.LIMIT)
                        release.metrics[output.strategy]["expected_margin"] = round(margin, 2)
        with self.report.stage("publish", SHARES["publish"]):
            lists = {output.strategy: output.lists for output in outputs if output.owner == "anchor"}
            unjudged = judge(release, lists, self.strategies, learned) if outputs else []
            release.complete = True
            release.save()
            self._finish(release, history, [*(learned.messages if learned else ()), *unjudged], publishes=publishes)

    def _learn(self, history: HistoryReport, items: pa.Table) -> tuple[list[StrategyOutput], LearnedModel | None]:
        """The lists of all strategies, and what was learned of shoppers; none where there is nothing to learn from."""
        from .learners import aisle_ids, learn
        from .profiles import known_segments

        outputs: list[StrategyOutput] = []
        if items.num_rows == 0:
            return outputs, None
        data = training_data(history, items, self.until, self.report)
        for name, strategy in self.strategies.items():
            with self.report.stage(name, SHARES["strategy"]):
                lists = strategy.make(data)
                if strategy.needs_anchor:
                    lists, self.most_shown[name] = limit_shares(name, lists, items, self.until)
            outputs.append(StrategyOutput(name, "anchor", lists.by_item))
            outputs.append(StrategyOutput(name, "category", lists.by_category))
            outputs.append(StrategyOutput(name, "", lists.for_all))
        with self.report.stage("shoppers", SHARES["shoppers"]):
            segments = known_segments(aisle_ids(items))
            return outputs, learn(
                data, items, self.strategies, segments, self.until.timestamp(), self.report, load_sequence_networks()
            )

    def _store_learned(self, release: Release, learned: LearnedModel, items: pa.Table) -> None:
        """The model for web processes, the evaluation, segments and profiles."""
        from ..learning.ranking.model import store
        from .learners import aisle_ids
        from .profiles import store_profiles, store_segments

        folder = release_folder(release.pk)
        if folder.exists():
            shutil.rmtree(folder)
        release.digest = store(learned.model, folder)
        replay, segments, metrics = learned.replay, learned.snapshot.segments, self.record.metrics
        if replay.evaluation is not None:
            release.evaluation = replay.evaluation.to_json()
        pks = store_segments(segments, aisle_ids(items))
        metrics["shoppers"] = store_profiles(learned.snapshot, self.until, pks, self.report)
        metrics["interests"] = {**vars(replay.interests.weights), "skill": round(replay.interests.skill, 4)}
        if replay.trade_ups:
            metrics["trade_ups"] = replay.trade_ups
        if replay.ablation:
            metrics["ablation"] = replay.ablation
        metrics["segments"] = {"found": len(segments.clusters), "silhouette": round_for_json(segments.silhouette)}

    def _write_lists(self, outputs: list[StrategyOutput], items: pa.Table) -> Release:
        names = ItemNames.of(items)
        release = Release.objects.create(run=self.record, newest_item=names.pks.max(initial=0))
        total, done = sum(len(output.lists.owners) for output in outputs), 0
        with self.report.stage("lists", SHARES["lists"]):
            for strategy, owner, lists in outputs:
                written = 0
                for owners, texts in encode_lists(lists, names):
                    fields = ("release", "strategy", "offers", *([owner] if owner else []))
                    rows = [
                        (release.pk, strategy, text, *([pk] if owner else []))
                        for pk, text in zip(owners, texts, strict=True)
                    ]
                    for chunk in chunks(rows, LISTS_PER_TRANSACTION):
                        with transaction.atomic():
                            bulk_insert(OfferList, fields, chunk)
                        done += len(chunk)
                        self.report(done, total)
                    written += len(rows)
                figures = release.metrics.setdefault(strategy, {"lists": 0, "category_lists": 0, "offers": 0})
                figures["lists" if owner == "anchor" else "category_lists"] += written
                figures["offers"] += len(lists.items)
        release.most_shown = self.most_shown
        release.save(update_fields=["metrics", "most_shown"])
        return release

    def _finish(self, release: Release, history: HistoryReport, remarks: Sequence[str], *, publishes: bool) -> None:
        lists = sum(figures["lists"] + figures["category_lists"] for figures in release.metrics.values())
        messages = [f"Release {release.pk}: {lists} offer lists."]
        if not self.record.metrics["items"]:
            messages.append("The catalog has no products, so there is nothing to recommend yet.")
        elif not history.total:
            messages.append("There are no orders or other events yet; the lists are made from the catalog alone.")
        if history.rebuilt:
            messages.append(f"The history was rebuilt: {history.rebuilt}.")
        messages += remarks
        messages += map(unmatched_message, unmatched_rules())
        messages += [_remark(verdict) for verdict in release.verdicts.all() if verdict.reasons]
        queue_for_review(release)
        published = False
        if publishes and not lists and Publication.objects.exists():
            messages.append("Not published: this release is empty, so shoppers keep seeing the current offers.")
        elif publishes and not can_publish(release):
            messages.append("Not published: every strategy of this release is held back.")
        elif publishes:
            publish(release)
            published = True
            messages.append("Published.")
        prune()
        finish_run(self.record, " ".join(messages))
        notify_of_held(release, published=published)


def _remark(verdict: StrategyVerdict) -> str:
    held_back = verdict.outcome == StrategyVerdict.Outcome.HELD
    return f"{'Held back' if held_back else 'Warning'}, {verdict.strategy}: {verdict.reasons}"
