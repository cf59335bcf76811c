"""Charts of what distinguishes a segment, and the map of interests."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ...models import Segment
from .charts import Cell, Chart, Column, Row, mapping, number, ratio
from .evidence import format_value

# Feature -> label, unit and format of its mean.
FEATURES: dict[str, tuple[Any, Any, int | str]] = {
    "recency": (_("Time since the last order"), _("days"), 1),
    "frequency": (_("Orders per month"), "", 2),
    "money": (_("Total spend"), "", 2),
    "basket_value": (_("Average order value"), "", 2),
    "breadth": (_("Categories bought"), "", 1),
    "price_level": (_("Price level"), "", 2),
    "weekend": (_("Purchases at weekends"), "", "percent"),
    "morning": (_("Purchases in the morning"), "", "percent"),
    "evening": (_("Purchases in the evening"), "", "percent"),
    "views_per_purchase": (_("Views per purchase"), "", 1),
}
AISLES_SHOWN = 10
# The ratio of smaller shares is mostly chance.
LEAST_SHARE = 0.005
# The map shows this many of the largest categories.
MAPPED = 60
# Shades on either side of the map; each is a factor of √2.
SHADES = 3
NONE = "–"


def features_chart(segment: Segment) -> Chart:
    """Each feature's mean in the segment, divided by the mean of all shoppers."""
    means = mapping(mapping(segment.profile).get("features"))
    known = [name for name in FEATURES if name in means]
    return Chart(
        kind="ratios",
        caption=gettext("How these shoppers differ: segment mean ÷ overall mean"),
        columns=[
            Column(gettext("Feature")),
            Column(gettext("These shoppers")),
            Column(gettext("All shoppers")),
            Column(gettext("Ratio"), drawn=True),
        ],
        rows=[_feature(name, mapping(means[name])) for name in [*known, *(means.keys() - FEATURES.keys())]],
    )


def _feature(name: str, means: dict[str, Any]) -> Row:
    label, unit, form = FEATURES.get(name, (name.replace("_", " ").capitalize(), "", 2))
    mean, overall = number(means.get("mean")), number(means.get("all"))
    texts = [NONE if value is None else f"{format_value(value, form)} {unit}".strip() for value in (mean, overall)]
    return Row(str(label), [*map(Cell, texts), _ratio_cell(ratio(mean, overall))])


class Aisle(NamedTuple):
    """A category's share of the purchases of a segment and of all purchases, 0…1 each."""

    pk: int
    name: str
    share: float
    overall: float

    @property
    def ratio(self) -> float | None:
        """The segment's share divided by the overall share."""
        return ratio(self.share, self.overall)


def aisles_of(segment: Segment) -> Iterator[Aisle]:
    """The categories of a segment's profile; invalid entries are ignored."""
    entries = mapping(segment.profile).get("aisles")
    for entry in entries if isinstance(entries, list) else []:
        figures = mapping(entry)
        pk, share, overall = (number(figures.get(key)) for key in ("aisle", "share", "all"))
        if pk is not None and share is not None and overall is not None:
            yield Aisle(int(pk), str(figures.get("name") or int(pk)), share, overall)


def aisles_chart(segment: Segment) -> Chart:
    """The categories that these shoppers buy disproportionately often."""
    ratios = [(aisle.ratio, aisle) for aisle in aisles_of(segment) if aisle.share >= LEAST_SHARE]
    above_average = ((times, aisle) for times, aisle in ratios if times is not None and times > 1)
    highest = sorted(above_average, reverse=True)[:AISLES_SHOWN]
    shares = [Column(gettext("Share of their purchases")), Column(gettext("Share of all purchases"))]
    return Chart(
        kind="ratios",
        caption=gettext("What they buy more of than others"),
        columns=[Column(gettext("Category")), *shares, Column(gettext("Ratio"), drawn=True)],
        rows=[
            Row(
                aisle.name,
                [Cell(format_value(share, "percent")) for share in (aisle.share, aisle.overall)] + [_ratio_cell(times)],
                # The last part of the path is the category itself.
                short=aisle.name.rsplit(" > ", 1)[-1],
            )
            for times, aisle in highest
        ],
    )


def _ratio_cell(value: float | None) -> Cell:
    return Cell(NONE if value is None else format_value(value, "times"), value)


@dataclass(frozen=True)
class Shade:
    """One cell of the map: a ratio as text, and its shade from -SHADES (much less) to SHADES (much more)."""

    text: str
    shade: int | None

    @property
    def name(self) -> str:
        """The suffix of its CSS class."""
        if not self.shade:
            return "none"
        return f"{'more' if self.shade > 0 else 'less'}-{abs(self.shade)}"


@dataclass(frozen=True)
class InterestMap:
    """Shades by category and segment; ``cut`` is the number of smaller categories not shown."""

    segments: list[Segment]
    rows: list[tuple[str, list[Shade]]]
    cut: int


def interest_map(segments: Iterable[Segment]) -> InterestMap:
    """How much more or less each segment buys of each category than all shoppers do, largest categories first."""
    columns = [segment for segment in segments if mapping(segment.profile).get("aisles")]
    aisles = {segment.pk: {aisle.pk: aisle for aisle in aisles_of(segment)} for segment in columns}
    categories = {aisle.pk: aisle for by_pk in aisles.values() for aisle in by_pk.values()}
    order = sorted(categories.values(), key=lambda aisle: (-aisle.overall, aisle.name))
    rows = [(aisle.name, [_shade(aisles[segment.pk].get(aisle.pk)) for segment in columns]) for aisle in order[:MAPPED]]
    return InterestMap(columns, rows, max(len(order) - MAPPED, 0))


def _shade(aisle: Aisle | None) -> Shade:
    times = aisle.ratio if aisle else None
    if times is None:
        return Shade(NONE, None)
    return Shade(format_value(times, "times"), shade_of(times))


def shade_of(times: float) -> int:
    """2·log₂ of a ratio, rounded and limited to ±SHADES, so that × 2 and × ½ are equally strong."""
    if times <= 0:
        return -SHADES
    return max(-SHADES, min(SHADES, round(2 * math.log2(times))))


def legend() -> list[Shade]:
    """Each shade with its central ratio."""
    return [Shade(format_value(2 ** (shade / 2), "times"), shade) for shade in range(-SHADES, SHADES + 1)]
