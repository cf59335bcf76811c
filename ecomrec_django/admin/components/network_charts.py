"""Charts of the training of networks, from `TrainingRun.metrics`, in which anything may be missing."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext

from ...models import Item, TrainingRun
from ..base import strategy_label
from .charts import Cell, Chart, Column, Row, mapping, number
from .evidence import format_value

# Metrics that are drawn as charts, and left out of the table of figures.
DRAWN = ("evaluation", "ablation", "quality", "losses", "map")


def run_charts(run: TrainingRun) -> list[Chart]:
    """Charts of quality and loss by epoch, of the networks' effect on offers, and a map of items."""
    metrics = mapping(run.metrics)
    charts = [_quality(metrics.get("quality")), _losses(metrics.get("losses"))]
    charts += [_ablation(task, mapping(figures)) for task, figures in mapping(metrics.get("ablation")).items()]
    charts.append(_map(mapping(metrics.get("map")), of_pictures=run.kind == TrainingRun.Kind.PICTURES))
    return [chart for chart in charts if chart.rows]


def _quality(values: Any) -> Chart:
    rounds = [pair for pair in values if isinstance(pair, list) and len(pair) == 2] if isinstance(values, list) else []
    return Chart(
        kind="lines",
        caption=gettext("Validation: next item predicted for shoppers whose later events were held out"),
        columns=[
            Column(gettext("Epoch")),
            Column(gettext("Hit rate in the top 20"), drawn=True),
            Column(gettext("MRR"), drawn=True),
        ],
        rows=_rounds(rounds),
    )


def _losses(values: Any) -> Chart:
    rounds = [[loss] for loss in values] if isinstance(values, list) else []
    caption = gettext("Validation loss after each epoch")
    return Chart(
        kind="lines",
        caption=caption,
        columns=[Column(gettext("Epoch")), Column(gettext("Loss"), drawn=True)],
        rows=_rounds(rounds),
    )


def _rounds(values: list[list[Any]]) -> list[Row]:
    return [Row(str(epoch), [_cell(value) for value in row]) for epoch, row in enumerate(values, start=1)]


def _ablation(task: str, ablation: dict[str, Any]) -> Chart:
    """Rankers with and without the features of networks."""
    caption = gettext("%(strategy)s: nDCG with and without networks; in use: %(used)s")
    variants = {name: metrics for name, metrics in ablation.items() if isinstance(metrics, dict)}
    columns = [Column(gettext("Trained on"))]
    columns += [Column(gettext("Test customers"), drawn=True), Column(gettext("Validation customers"))]
    return Chart(
        kind="bars",
        caption=caption % {"strategy": strategy_label(task), "used": ablation.get("used", "")},
        columns=columns,
        rows=[
            Row(name, [_cell(metrics.get("test")), _cell(metrics.get("validation"))])
            for name, metrics in variants.items()
        ],
    )


def _map(points: dict[str, Any], *, of_pictures: bool) -> Chart:
    pks, places = points.get("items"), points.get("places")
    pairs = dict(zip(pks, places, strict=False)) if isinstance(pks, list) and isinstance(places, list) else {}
    items = Item.objects.select_related("category").defer("description", "attributes").in_bulk(list(pairs))
    caption = (
        gettext("Image map: similar-looking items lie close together")
        if of_pictures
        else gettext("Item map: items that shoppers reach at similar points in their histories lie close together")
    )
    rows = []
    for pk, item in items.items():
        category = item.category.name if item.category else gettext("No category")
        cells = [Cell(category), *(_cell(place) for place in pairs[pk])]
        rows.append(Row(item.title, cells, link=("admin:ecomrec_item_change", pk)))
    rows.sort(key=lambda row: (row.cells[0].text, row.title))
    columns = [Column(gettext("Item")), Column(gettext("Category"))]
    columns += [Column(gettext("Horizontal"), drawn=True), Column(gettext("Vertical"), drawn=True)]
    return Chart(kind="map", caption=caption, columns=columns, rows=rows)


def _cell(value: Any) -> Cell:
    figure = number(value)
    return Cell("–" if figure is None else format_value(figure, 3), figure)
