"""What speaks against a new release, strategy by strategy: worse predictions, or lists that defy common sense."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from django.db.models import TextField
from django.db.models.functions import Coalesce

from ..conf import conf
from ..db import MAX_LOOKUP_IDS, chunks
from ..errors import DataError
from ..learning.evaluation.gate import find_shortfalls, find_unjudged, is_judged
from ..learning.evaluation.list_checks import ListFigures, find_problems, list_figures, vanished_problem
from ..learning.evaluation.metrics import Evaluation
from ..learning.types import IntArray
from ..models import Item, OfferList, Publication, Release, StrategyVerdict
from ..strategies.base import Lists, Strategy, decode_offers

if TYPE_CHECKING:
    from .learners import LearnedModel

logger = logging.getLogger(__name__)

# Lists that are compared with the ones shown now.
SAMPLED_LISTS = 2_000
# Why a strategy that nothing can be said of is held back with all others: it was made from the same history.
UNJUDGED = "It cannot be judged, and all strategies of this release that can be are held back."


def judge(
    release: Release, lists: Mapping[str, Lists], strategies: Mapping[str, Strategy], learned: LearnedModel | None
) -> list[str]:
    """Store a verdict on each strategy of a new ``release``, whose lists are written; returns what it does not judge.

    ``lists``: those of items, by strategy. Nothing is held back as long as nothing is published.
    """
    evaluation = learned.replay.evaluation if learned is not None else None
    publication = Publication.objects.current().select_related("release__run").first()
    published = publication.release if publication is not None else None
    vanished = _vanished(published) if published is not None else None
    verdicts, judged = [], set()
    tasks: set[str] = set()
    for name, strategy in strategies.items():
        source = _shown_release(published, name, strategy)
        severe = [vanished] if vanished is not None else []
        mild: list[str] = []
        if learned is not None:
            severe += find_problems(
                _compared(_figures(lists[name], learned), release, source, name, lists[name].owners)
            )
        task = name if strategy.personal_only else strategy.ranker
        if evaluation is not None and is_judged(task, evaluation):
            judged.add(name)
            # Of several strategies with one ranker, the first has the lists that were scored.
            methods = {f"{task}:personal", *({task} - tasks)}
            tasks.add(task)
            for shortfall in find_shortfalls(task, evaluation, _evaluation_of(source)):
                if shortfall.method in methods:
                    (severe if shortfall.severe else mild).append(str(shortfall))
        verdict = StrategyVerdict(release=release, strategy=name, reasons="\n".join([*severe, *mild]))
        if severe and published is not None:
            _hold_back(verdict, source)
        elif severe or mild:
            verdict.outcome = StrategyVerdict.Outcome.WARNED
        verdicts.append(verdict)
    held_back = {verdict.strategy for verdict in verdicts if verdict.outcome == StrategyVerdict.Outcome.HELD}
    if published is not None and judged and judged <= held_back:
        for verdict in verdicts:
            if verdict.strategy not in held_back:
                verdict.reasons = "\n".join(filter(None, [UNJUDGED, verdict.reasons]))
                name = verdict.strategy
                _hold_back(verdict, _shown_release(published, name, strategies[name]))
    StrategyVerdict.objects.bulk_create(verdicts)
    return [str(unjudged) for unjudged in find_unjudged(evaluation)] if evaluation is not None else []


def _shown_release(published: Release | None, name: str, strategy: Strategy) -> int | None:
    """Release.pk of the offers of a strategy that pages show now; None where it has none."""
    shown = published.shown_release(name) if published is not None else None
    if not shown or strategy.personal_only:
        return shown or None
    return shown if OfferList.objects.filter(release=shown, strategy=name).exists() else None


def _hold_back(verdict: StrategyVerdict, source: int | None) -> None:
    verdict.outcome, verdict.source_id = StrategyVerdict.Outcome.HELD, source


def _evaluation_of(release: int | None) -> Evaluation | None:
    """None of a release that was not judged, or judged by another version of this package."""
    if release is None:
        return None
    stored = Release.objects.filter(pk=release).values_list("evaluation", flat=True).first()
    if not stored:
        return None
    try:
        return Evaluation.of_json(stored)
    except DataError as error:
        logger.warning("The new release is not compared with release %s: %s", release, error)
        return None


def _vanished(published: Release) -> str | None:
    known = int(published.run.metrics.get("active_items") or 0)
    remaining = Item.objects.filter(active=True, pk__lte=published.newest_item or 0).count() if known else 0
    return vanished_problem(known, min(remaining, known))


def _figures(lists: Lists, learned: LearnedModel) -> ListFigures:
    features = learned.model.item_features
    bestsellers = learned.model.ids.ids[features.bestsellers]
    return list_figures(lists.starts, lists.items, bestsellers, int(features.offered.sum()), conf.LIMIT)


def _compared(
    figures: ListFigures, release: Release, source: int | None, strategy: str, owners: IntArray
) -> ListFigures:
    """``figures`` with what became of the lists that pages show now."""
    if source is None or not len(owners):
        return figures
    sample = owners[np.unique(np.linspace(0, len(owners) - 1, min(SAMPLED_LISTS, len(owners))).astype(int))]
    before, after = (_first_offers(pk, strategy, sample.tolist()) for pk in (source, release.pk))
    common = before.keys() & after.keys()
    return replace(
        figures, compared=len(common), replaced=sum(before[anchor].isdisjoint(after[anchor]) for anchor in common)
    )


def _first_offers(release: int, strategy: str, anchors: Sequence[int]) -> dict[int, set[str]]:
    """External ids of the first offers by anchor, of lists that have any."""
    lists = OfferList.objects.filter(release=release, strategy=strategy).order_by()
    text = Coalesce("proposed", "offers", output_field=TextField())
    offers = {
        anchor: {offer.item for offer in decode_offers(stored)[: conf.LIMIT]}
        for chunk in chunks(anchors, MAX_LOOKUP_IDS)
        for anchor, stored in lists.filter(anchor__in=chunk).values_list("anchor", text)
    }
    return {anchor: items for anchor, items in offers.items() if items}
