"""How well releases foretold what was bought, read from `Release.evaluation`: anything in it may be missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ..models import Release, TrainingRun
from .base import strategy_label
from .charts import Cell, Chart, Column, Row, mapping, number
from .evidence import written
from .signal_labels import signal_label

# Metric -> what it is called, how it is written, and what it means. Those that have an interval come first.
METRICS: dict[str, tuple[Any, int | str, Any]] = {
    "ndcg": (_("nDCG"), 3, _("how many of the offers were bought, the first places counting most; 1 is perfect")),
    "hit": (_("Hit rate"), "percent", _("cases in which at least one offer was bought")),
    "recall": (_("Recall"), "percent", _("what was bought and had been offered, of the most that could be")),
    "mrr": (_("MRR"), 3, _("1 divided by the place of the first offer that was bought")),
    "popw": (_("Recall beyond bestsellers"), 3, _("recall in which a bestseller counts little")),
    "revenue": (_("Revenue"), 2, _("value of what was bought and had been offered")),
    "coverage": (_("Coverage"), "percent", _("items that were offered at least once")),
    "novelty": (_("Novelty"), 2, _("how little known the offers are")),
    "gini": (_("Gini"), 2, _("0: every item is offered equally often; 1: always the same")),
}
WITH_INTERVAL = ("ndcg", "hit", "recall", "mrr", "popw", "revenue")
RELEASES_DRAWN = 20
SIGNALS_DRAWN = 15
NONE = "–"


def method_label(name: str) -> str:
    """ "bought_with:popularity" reads "Bought with: popularity"."""
    strategy, _colon, way = name.partition(":")
    return f"{strategy_label(strategy)}: {way.replace('_', ' ')}" if way else strategy_label(strategy)


def metric_cell(methods: dict[str, Any], method: str, metric: str) -> Cell:
    """One figure with its interval, if it has one."""
    form = METRICS[metric][1]
    given = mapping(methods.get(method)).get(metric)
    if not isinstance(given, dict):
        value = number(given)
        return Cell(NONE if value is None else written(value, form), value)
    mean, low, high = (number(given.get(name)) for name in ("mean", "low", "high"))
    if mean is None:
        return Cell(NONE)
    if low is None or high is None:
        return Cell(written(mean, form), mean)
    return Cell(f"{written(mean, form)} ({written(low, form)} – {written(high, form)})", mean, low, high)


def evaluation_table(evaluation: dict[str, Any]) -> Chart:
    """Methods down, metrics across; drawn as bars of the nDCG."""
    methods = mapping(evaluation.get("methods"))
    metrics = [name for name in METRICS if any(name in mapping(figures) for figures in methods.values())]
    return Chart(
        "bars",
        gettext("nDCG of every method, with its confidence interval; every metric in the table"),
        [
            Column(gettext("Method")),
            *(Column(str(METRICS[name][0]), drawn=name == "ndcg", note=str(METRICS[name][2])) for name in metrics),
        ],
        [Row(method_label(method), [metric_cell(methods, method, name) for name in metrics]) for method in methods],
    )


def cases_said(evaluation: dict[str, Any]) -> list[str]:
    """From what the figures come: one sentence for the time, one for each task."""
    said = []
    start, end = (_moment(evaluation.get(name)) for name in ("from", "to"))
    if start and end:
        said.append(gettext("Asked what was bought from %(start)s to %(end)s.") % {"start": start, "end": end})
    if k := number(evaluation.get("k")):
        said.append(gettext("The first %(k)d offers count.") % {"k": k})
    for task, given in mapping(evaluation.get("tasks")).items():
        cases, customers = (number(mapping(given).get(name)) for name in ("cases", "customers"))
        if cases is not None and customers is not None:
            of = ngettext("%(count)s customer", "%(count)s customers", int(customers))
            said.append(
                gettext("%(task)s: %(cases)s cases of %(customers)s.")
                % {
                    "task": strategy_label(task),
                    "cases": written(cases, 0),
                    "customers": of % {"count": written(customers, 0)},
                }
            )
    return said


def _moment(given: Any) -> str:
    if not isinstance(given, str):
        return ""
    try:
        moment = parse_datetime(given) or parse_date(given)
    except ValueError:
        return given
    return date_format(moment, "DATE_FORMAT") if moment else given


def signal_charts(evaluation: dict[str, Any]) -> list[Chart]:
    """What each signal contributes to each strategy's offers, strongest first."""
    charts = []
    for strategy, given in mapping(evaluation.get("signals")).items():
        rows = _signal_rows(given)
        if rows:
            charts.append(
                Chart(
                    "bars",
                    gettext("%(strategy)s: contribution of each signal") % {"strategy": strategy_label(strategy)},
                    [Column(gettext("Signal")), Column(gettext("Mean contribution to the log-odds"), drawn=True)],
                    rows,
                    most=SIGNALS_DRAWN,
                )
            )
    return charts


def _signal_rows(given: Any) -> list[Row]:
    pairs = [pair for pair in given if isinstance(pair, list) and len(pair) == 2] if isinstance(given, list) else []
    found = [(value, str(name)) for name, raw in pairs if (value := number(raw)) is not None]
    return [
        Row(signal_label(name), [Cell(written(value, 3), value)])
        for value, name in sorted(found, key=lambda pair: -pair[0])
    ]


@dataclass(frozen=True)
class Evaluated:
    """The evaluation of one release, which may be gone by now."""

    number: int
    evaluation: dict[str, Any]
    release: Release | None = None


def latest_evaluated(limit: int = RELEASES_DRAWN) -> list[Evaluated]:
    """The last releases that were evaluated, oldest first: those that stand, and those whose runs remember them."""
    standing = Release.objects.exclude(evaluation={}).order_by("-pk")[:limit]
    found = [Evaluated(release.pk, mapping(release.evaluation), release) for release in standing]
    runs = TrainingRun.objects.filter(metrics__has_key="evaluation").order_by("-pk")[:limit]
    former = [mapping(mapping(run.metrics)["evaluation"]) for run in runs]
    found += [Evaluated(int(pk), kept) for kept in former if (pk := number(kept.get("release"))) is not None]
    return sorted(found, key=lambda one: one.number)[-limit:]


def history_charts(releases: Iterable[Evaluated], metric: str) -> list[Chart]:
    """One chart for each strategy: its methods through the releases by one metric of WITH_INTERVAL."""
    shown = [(one, mapping(one.evaluation.get("methods"))) for one in releases]
    methods = dict.fromkeys(name for _one, figures in shown for name in figures)
    charts = []
    for strategy in dict.fromkeys(name.partition(":")[0] for name in methods):
        own = [name for name in methods if name.partition(":")[0] == strategy]
        rows = [
            _history_row(one, [metric_cell(figures, name, metric) for name in own])
            for one, figures in shown
            if any(name in figures for name in own)
        ]
        caption = gettext("%(strategy)s: %(metric)s of each release, with confidence intervals")
        charts.append(
            Chart(
                "lines",
                caption % {"strategy": strategy_label(strategy), "metric": METRICS[metric][0]},
                [Column(gettext("Release")), *(Column(method_label(name), drawn=True) for name in own)],
                rows,
            )
        )
    return charts


def _history_row(one: Evaluated, cells: list[Cell]) -> Row:
    short = str(one.number)
    if one.release is None:
        return Row(gettext("Release %(number)d (gone)") % {"number": one.number}, cells, short)
    title = str(one.release)
    if one.release.refused:
        title = gettext("%(release)s (refused)") % {"release": title}
    return Row(title, cells, short, ("admin:ecomrec_release_change", one.number))
