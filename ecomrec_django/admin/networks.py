"""What a training of networks wrote into `TrainingRun.metrics`, as charts: anything in it may be missing."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext

from ..models import Item, TrainingRun
from .base import strategy_label
from .charts import Cell, Chart, Column, Row, mapping, number
from .evidence import written

# Metrics that are drawn, and too long for the table of figures.
DRAWN = ("evaluation", "ablation", "quality", "losses", "map")


def run_charts(run: TrainingRun) -> list[Chart]:
    """What each round of a training gained, what networks add to offers, and a map of what they know."""
    metrics = mapping(run.metrics)
    charts = [_quality(metrics.get("quality")), _losses(metrics.get("losses"))]
    charts += [_ablation(task, mapping(given)) for task, given in mapping(metrics.get("ablation")).items()]
    charts.append(_map(mapping(metrics.get("map")), run.kind == TrainingRun.Kind.PICTURES))
    return [chart for chart in charts if chart.rows]


def _quality(given: Any) -> Chart:
    rounds = [pair for pair in given if isinstance(pair, list) and len(pair) == 2] if isinstance(given, list) else []
    return Chart(
        "lines",
        gettext("Trial: the next item, foretold to shoppers whose later events it had not seen"),
        [
            Column(gettext("Round")),
            Column(gettext("Among the first 20"), drawn=True),
            Column(gettext("Mean of 1 / place"), drawn=True),
        ],
        _rounds(rounds),
    )


def _losses(given: Any) -> Chart:
    rounds = [[loss] for loss in given] if isinstance(given, list) else []
    caption = gettext("Loss on pictures that were held back, after each round")
    return Chart("lines", caption, [Column(gettext("Round")), Column(gettext("Loss"), drawn=True)], _rounds(rounds))


def _rounds(given: list[list[Any]]) -> list[Row]:
    return [Row(str(place), [_cell(value) for value in values]) for place, values in enumerate(given, start=1)]


def _ablation(task: str, given: dict[str, Any]) -> Chart:
    """Rankers with and without the signals of networks."""
    caption = gettext("%(strategy)s: nDCG with and without networks; used: %(used)s")
    variants = {name: figures for name, figures in given.items() if isinstance(figures, dict)}
    columns = [Column(gettext("Learned from"))]
    columns += [Column(gettext("Customers who judge"), drawn=True), Column(gettext("Customers who choose"))]
    return Chart(
        "bars",
        caption % {"strategy": strategy_label(task), "used": given.get("used", "")},
        columns,
        [
            Row(name, [_cell(figures.get("judges")), _cell(figures.get("choosers"))])
            for name, figures in variants.items()
        ],
    )


def _map(given: dict[str, Any], of_pictures: bool) -> Chart:
    pks, places = given.get("items"), given.get("places")
    pairs = dict(zip(pks, places, strict=False)) if isinstance(pks, list) and isinstance(places, list) else {}
    items = Item.objects.select_related("category").defer("description", "attributes").in_bulk(list(pairs))
    caption = (
        gettext("Map of pictures: what looks alike lies together")
        if of_pictures
        else gettext("Map of items: what shoppers turn to in the same places of their histories lies together")
    )
    rows = []
    for pk, item in items.items():
        category = item.category.name if item.category else gettext("No category")
        cells = [Cell(category), *(_cell(place) for place in pairs[pk])]
        rows.append(Row(item.title, cells, link=("admin:ecomrec_item_change", pk)))
    rows.sort(key=lambda row: (row.cells[0].text, row.title))
    columns = [Column(gettext("Item")), Column(gettext("Category"))]
    columns += [Column(gettext("Across"), drawn=True), Column(gettext("Upwards"), drawn=True)]
    return Chart("map", caption, columns, rows)


def _cell(given: Any) -> Cell:
    value = number(given)
    return Cell("–" if value is None else written(value, 3), value)
