"""Charts of the evaluation of releases, read from `Release.evaluation`, in which anything may be missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ...models import Release, TrainingRun
from ..base import strategy_label
from .charts import Cell, Chart, Column, Row, mapping, number
from .evidence import format_value
from .feature_labels import feature_label

# Metric -> label, format and meaning. Those with an interval come first.
METRICS: dict[str, tuple[Any, int | str, Any]] = {
    "ndcg": (_("nDCG"), 3, _("how many offers were bought, weighted towards the top positions; 1 is perfect")),
    "hit": (_("Hit rate"), "percent", _("share of cases with at least one offer bought")),
    "recall": (_("Recall"), "percent", _("share of the purchases that had been offered, out of the most possible")),
    "mrr": (_("MRR"), 3, _("mean of 1 ÷ position of the first offer bought")),
    "popularity_weighted_recall": (
        _("Popularity-weighted recall"),
        3,
        _("recall in which bestsellers count for little"),
    ),
    "hits": (_("Hits"), 2, _("offers of a block that were bought in the same order")),
    "excess": (_("Excess"), 3, _("hits beyond those that popularity and the size of the order explain")),
    "own_excess": (_("Own excess"), 3, _("hits beyond those that the shopper’s own habits explain as well")),
    "revenue": (_("Revenue"), 2, _("value of the purchases that had been offered")),
    "coverage": (_("Coverage"), "percent", _("share of items offered at least once")),
    "novelty": (_("Novelty"), 2, _("how little known the offered items are")),
    "staples": (_("Staples"), "percent", _("share of all places that the 20 bestsellers take")),
    "distinct": (_("Distinct"), 0, _("how many products are offered in any block")),
    "gini": (_("Gini"), 2, _("0: every item is offered equally often; 1: always the same item")),
}
WITH_INTERVAL = (
    "ndcg",
    "hit",
    "recall",
    "mrr",
    "popularity_weighted_recall",
    "hits",
    "excess",
    "own_excess",
    "revenue",
)
RELEASES_DRAWN = 20
SIGNALS_DRAWN = 15
NONE = "–"


def method_label(name: str) -> str:
    """ "bought_with:popularity" reads "Bought with: popularity"."""
    strategy, _colon, way = name.partition(":")
    return f"{strategy_label(strategy)}: {way.replace('_', ' ')}" if way else strategy_label(strategy)


def metric_cell(methods: dict[str, Any], method: str, metric: str) -> Cell:
    """One metric of a method with its interval, if it has one."""
    form = METRICS[metric][1]
    figures = mapping(methods.get(method)).get(metric)
    if not isinstance(figures, dict):
        value = number(figures)
        return Cell(NONE if value is None else format_value(value, form), value)
    mean, low, high = (number(figures.get(name)) for name in ("mean", "low", "high"))
    if mean is None:
        return Cell(NONE)
    if low is None or high is None:
        return Cell(format_value(mean, form), mean)
    return Cell(f"{format_value(mean, form)} ({format_value(low, form)} – {format_value(high, form)})", mean, low, high)


def evaluation_table(evaluation: dict[str, Any]) -> Chart:
    """One row per method and one column per metric; drawn as bars of the nDCG."""
    methods = mapping(evaluation.get("methods"))
    metrics = [name for name in METRICS if any(name in mapping(figures) for figures in methods.values())]
    return Chart(
        kind="bars",
        caption=gettext("nDCG by method with confidence intervals; all metrics are in the table"),
        columns=[
            Column(gettext("Method")),
            *(Column(str(METRICS[name][0]), drawn=name == "ndcg", note=str(METRICS[name][2])) for name in metrics),
        ],
        rows=[
            Row(method_label(method), [metric_cell(methods, method, name) for name in metrics]) for method in methods
        ],
    )


def case_sentences(evaluation: dict[str, Any]) -> list[str]:
    """Sentences about the test data: its period, and the cases of each task."""
    sentences = []
    start, end = (_moment(evaluation.get(name)) for name in ("from", "to"))
    if start and end:
        sentences.append(gettext("Tested on purchases from %(start)s to %(end)s.") % {"start": start, "end": end})
    if k := number(evaluation.get("k")):
        sentences.append(gettext("Scored on the top %(k)d offers.") % {"k": k})
    for task, figures in mapping(evaluation.get("tasks")).items():
        cases, customers = (number(mapping(figures).get(name)) for name in ("cases", "customers"))
        if cases is not None and customers is not None:
            of = ngettext("%(count)s customer", "%(count)s customers", int(customers))
            sentences.append(
                gettext("%(task)s: %(cases)s cases from %(customers)s.")
                % {
                    "task": strategy_label(task),
                    "cases": format_value(cases, 0),
                    "customers": of % {"count": format_value(customers, 0)},
                }
            )
    return sentences


def _moment(text: Any) -> str:
    if not isinstance(text, str):
        return ""
    try:
        moment = parse_datetime(text) or parse_date(text)
    except ValueError:
        return text
    return date_format(moment, "DATE_FORMAT") if moment else text


def signal_charts(evaluation: dict[str, Any]) -> list[Chart]:
    """The contribution of each feature by strategy, strongest first."""
    charts = []
    for strategy, contributions in mapping(evaluation.get("signals")).items():
        rows = _signal_rows(contributions)
        if rows:
            charts.append(
                Chart(
                    kind="bars",
                    caption=gettext("%(strategy)s: contribution by feature") % {"strategy": strategy_label(strategy)},
                    columns=[
                        Column(gettext("Feature")),
                        Column(gettext("Mean contribution to the log-odds"), drawn=True),
                    ],
                    rows=rows,
                    most=SIGNALS_DRAWN,
                )
            )
    return charts


def _signal_rows(contributions: Any) -> list[Row]:
    entries = contributions if isinstance(contributions, list) else []
    pairs = [entry for entry in entries if isinstance(entry, list) and len(entry) == 2]
    valid = [(value, str(name)) for name, raw in pairs if (value := number(raw)) is not None]
    return [
        Row(feature_label(name), [Cell(format_value(value, 3), value)])
        for value, name in sorted(valid, key=lambda pair: -pair[0])
    ]


@dataclass(frozen=True)
class EvaluatedRelease:
    """The evaluation of one release, which may have been deleted since."""

    number: int
    evaluation: dict[str, Any]
    release: Release | None = None


def latest_evaluated(limit: int = RELEASES_DRAWN) -> list[EvaluatedRelease]:
    """The evaluations of the latest releases, oldest first; those of deleted releases come from their training runs."""
    releases = Release.objects.exclude(evaluation={}).prefetch_related("verdicts").order_by("-pk")[:limit]
    evaluations = [EvaluatedRelease(release.pk, mapping(release.evaluation), release) for release in releases]
    runs = TrainingRun.objects.filter(metrics__has_key="evaluation").order_by("-pk")[:limit]
    evaluations_of_runs = [mapping(mapping(run.metrics)["evaluation"]) for run in runs]
    evaluations += [
        EvaluatedRelease(int(pk), evaluation)
        for evaluation in evaluations_of_runs
        if (pk := number(evaluation.get("release"))) is not None
    ]
    return sorted(evaluations, key=lambda evaluated: evaluated.number)[-limit:]


def history_charts(releases: Iterable[EvaluatedRelease], metric: str) -> list[Chart]:
    """One chart per strategy: one metric of WITH_INTERVAL for its methods, by release."""
    figures_by_release = [(evaluated, mapping(evaluated.evaluation.get("methods"))) for evaluated in releases]
    methods = dict.fromkeys(name for _, figures in figures_by_release for name in figures)
    charts = []
    for strategy in dict.fromkeys(name.partition(":")[0] for name in methods):
        names = [name for name in methods if name.partition(":")[0] == strategy]
        rows = [
            _history_row(evaluated, [metric_cell(figures, name, metric) for name in names])
            for evaluated, figures in figures_by_release
            if any(name in figures for name in names)
        ]
        caption = gettext("%(strategy)s: %(metric)s of each release, with confidence intervals")
        charts.append(
            Chart(
                kind="lines",
                caption=caption % {"strategy": strategy_label(strategy), "metric": METRICS[metric][0]},
                columns=[Column(gettext("Release")), *(Column(method_label(name), drawn=True) for name in names)],
                rows=rows,
            )
        )
    return charts


def _history_row(evaluated: EvaluatedRelease, cells: list[Cell]) -> Row:
    short = str(evaluated.number)
    if evaluated.release is None:
        return Row(gettext("Release %(number)d (deleted)") % {"number": evaluated.number}, cells, short)
    title = str(evaluated.release)
    if evaluated.release.held_back:
        title = gettext("%(release)s (held back in part)") % {"release": title}
    return Row(title, cells, short, ("admin:ecomrec_release_change", evaluated.number))
