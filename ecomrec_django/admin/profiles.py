"""What sets a segment apart, as charts and as a map of interests."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..models import Segment
from .charts import Cell, Chart, Column, Row, mapping, number, ratio
from .evidence import written

# Feature -> what it is called, its unit, and how its mean is written.
FEATURES: dict[str, tuple[Any, Any, int | str]] = {
    "recency": (_("Time since the last order"), _("days"), 1),
    "frequency": (_("Orders a month"), "", 2),
    "money": (_("Spent in all"), "", 2),
    "basket_value": (_("Value of an order"), "", 2),
    "breadth": (_("Different categories bought"), "", 1),
    "price_level": (_("Price level"), "", 2),
    "weekend": (_("Bought at weekends"), "", "percent"),
    "morning": (_("Bought in the morning"), "", "percent"),
    "evening": (_("Bought in the evening"), "", "percent"),
    "views_per_purchase": (_("Views for each purchase"), "", 1),
}
AISLES_SHOWN = 10
# Of smaller shares the ratio is mostly chance.
LEAST_SHARE = 0.005
# Categories of the map, the largest.
MAPPED = 60
# The map's strongest shade on either side: each is a factor of √2.
SHADES = 3
NONE = "–"


def features_chart(segment: Segment) -> Chart:
    """Each feature's mean in the segment, divided by the mean of all shoppers."""
    means = mapping(mapping(segment.profile).get("features"))
    known = [name for name in FEATURES if name in means]
    return Chart(
        "ratios",
        gettext("How these shoppers differ: their mean divided by the mean of all"),
        [
            Column(gettext("Feature")),
            Column(gettext("These shoppers")),
            Column(gettext("All shoppers")),
            Column(gettext("Ratio"), True),
        ],
        [_feature(name, mapping(means[name])) for name in [*known, *(means.keys() - FEATURES.keys())]],
    )


def _feature(name: str, means: dict[str, Any]) -> Row:
    label, unit, form = FEATURES.get(name, (name.replace("_", " ").capitalize(), "", 2))
    mean, everybody = number(means.get("mean")), number(means.get("all"))
    texts = [NONE if value is None else f"{written(value, form)} {unit}".strip() for value in (mean, everybody)]
    return Row(str(label), [*map(Cell, texts), _ratio_cell(ratio(mean, everybody))])


class Aisle(NamedTuple):
    """A category's share of what a segment buys and of what all buy, each in 0…1."""

    pk: int
    name: str
    share: float
    everybody: float

    @property
    def ratio(self) -> float | None:
        return ratio(self.share, self.everybody)


def aisles_of(segment: Segment) -> Iterator[Aisle]:
    """The categories of a segment's profile; what is no such entry is left out."""
    entries = mapping(segment.profile).get("aisles")
    for entry in entries if isinstance(entries, list) else []:
        given = mapping(entry)
        pk, share, everybody = (number(given.get(key)) for key in ("aisle", "share", "all"))
        if pk is not None and share is not None and everybody is not None:
            yield Aisle(int(pk), str(given.get("name") or int(pk)), share, everybody)


def aisles_chart(segment: Segment) -> Chart:
    """The categories that these shoppers buy most beyond the others."""
    found = [(aisle.ratio, aisle) for aisle in aisles_of(segment) if aisle.share >= LEAST_SHARE]
    over = sorted(((by, aisle) for by, aisle in found if by is not None and by > 1), reverse=True)[:AISLES_SHOWN]
    shares = [Column(gettext("Share of their purchases")), Column(gettext("Share of all purchases"))]
    return Chart(
        "ratios",
        gettext("What they buy more of than others"),
        [Column(gettext("Category")), *shares, Column(gettext("Ratio"), True)],
        [
            Row(
                aisle.name,
                [Cell(written(share, "percent")) for share in (aisle.share, aisle.everybody)] + [_ratio_cell(by)],
                # The path ends in the category itself.
                short=aisle.name.rsplit(" > ", 1)[-1],
            )
            for by, aisle in over
        ],
    )


def _ratio_cell(value: float | None) -> Cell:
    return Cell(NONE if value is None else written(value, "times"), value)


@dataclass(frozen=True)
class Shade:
    """One cell of the map: a ratio in figures, and its shade from -SHADES (far less) to SHADES (far more)."""

    text: str
    shade: int | None

    @property
    def name(self) -> str:
        """The last part of its CSS class."""
        if not self.shade:
            return "none"
        return f"{'more' if self.shade > 0 else 'less'}-{abs(self.shade)}"


@dataclass(frozen=True)
class InterestMap:
    """Categories down, segments across; ``cut`` says how many smaller categories are left out."""

    segments: list[Segment]
    rows: list[tuple[str, list[Shade]]]
    cut: int


def interest_map(segments: Iterable[Segment]) -> InterestMap:
    """How much more or less each segment buys of each category than all shoppers do, largest categories first."""
    shown = [segment for segment in segments if mapping(segment.profile).get("aisles")]
    bought = {segment.pk: {aisle.pk: aisle for aisle in aisles_of(segment)} for segment in shown}
    named = {aisle.pk: aisle for aisles in bought.values() for aisle in aisles.values()}
    order = sorted(named.values(), key=lambda aisle: (-aisle.everybody, aisle.name))
    rows = [(aisle.name, [_shaded(bought[segment.pk].get(aisle.pk)) for segment in shown]) for aisle in order[:MAPPED]]
    return InterestMap(shown, rows, max(len(order) - MAPPED, 0))


def _shaded(aisle: Aisle | None) -> Shade:
    by = aisle.ratio if aisle else None
    if by is None:
        return Shade(NONE, None)
    return Shade(written(by, "times"), shade_of(by))


def shade_of(by: float) -> int:
    """2·log₂ of a ratio, rounded and held within ±SHADES, so that twice and half are equally strong."""
    if by <= 0:
        return -SHADES
    return max(-SHADES, min(SHADES, round(2 * math.log2(by))))


def legend() -> list[Shade]:
    """Each shade with the ratio in its middle."""
    return [Shade(written(2 ** (shade / 2), "times"), shade) for shade in range(-SHADES, SHADES + 1)]
