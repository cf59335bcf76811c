"""The exposures of an experiment and their outcomes as arrays, one row per visitor, arm and day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db.models import Sum

from ..db import MAX_LOOKUP_IDS, chunks, to_aware, to_db_time
from ..learning.interactions import DAY
from ..learning.types import BoolArray, FloatArray, IntArray
from ..models import Conversion, Event, Experiment, Exposure, Impression, Kind

# New visitors cost nothing to invent: what is decided by itself follows those who were seen before.
ESTABLISHED_AFTER = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Exposures:
    """Exposures and outcomes, arrays of shape (rows,) ordered by visitor and time.

    arms: Arm.pk of each arm, including the holdout
    arm: index in ``arms``
    visitor: Visitor.pk
    time: seconds since 1970
    segment: Segment.pk, 0 without one
    propensity: probability with which the arm was assigned, 0…1
    established: whether the visitor had been known for ESTABLISHED_AFTER
    clicks, orders, revenue, margin: outcomes of the arm's own offers, on the day on which they were seen
    spent, bought: total spend and number of orders of the visitor, from this exposure to the next
    """

    arms: tuple[int, ...]
    arm: IntArray
    visitor: IntArray
    time: FloatArray
    segment: IntArray
    propensity: FloatArray
    established: BoolArray
    clicks: FloatArray
    orders: FloatArray
    revenue: FloatArray
    margin: FloatArray
    spent: FloatArray
    bought: FloatArray

    def __len__(self) -> int:
        return len(self.arm)

    def where(self, mask: BoolArray) -> Exposures:
        """Some of the rows."""
        columns = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "arms"}
        return Exposures(arms=self.arms, **{name: values[mask] for name, values in columns.items()})

    @property
    def first(self) -> BoolArray:
        """Whether a row is the first of its visitor."""
        return np.r_[True, self.visitor[1:] != self.visitor[:-1]] if len(self) else np.empty(0, bool)

    @property
    def single(self) -> BoolArray:
        """Whether a row's visitor saw only one arm; others used two devices, or the shares changed."""
        return self._is_constant(self.arm)

    def apart(self, arm: int) -> BoolArray:
        """Whether a row's visitor saw only ``arm`` or never saw it, whichever other arms they saw."""
        return self._is_constant((self.arm == arm).astype(np.int64))

    def _is_constant(self, values: IntArray) -> BoolArray:
        """Whether ``values`` (0 … arms) are the same in all rows of a row's visitor."""
        number = np.cumsum(self.first) - 1
        visitors = number.max(initial=-1) + 1
        least, most = np.full(visitors, len(self.arms)), np.full(visitors, -1)
        np.minimum.at(least, number, values)
        np.maximum.at(most, number, values)
        return (least == most)[number]


def read_exposures(experiment: Experiment) -> Exposures:
    """All exposures of an experiment so far. Reads by arm and visitor, never a whole table."""
    arms = tuple(experiment.arms.order_by("pk").values_list("pk", flat=True))
    exposures = Exposure.objects.filter(arm__in=arms).order_by("visitor_id", "time")
    rows = list(exposures.values_list("arm_id", "visitor_id", "time", "segment", "propensity", "visitor__created"))
    columns = list(zip(*rows, strict=True)) or [()] * 6
    arm = np.searchsorted(arms, np.array(columns[0], np.int64))
    visitor = np.array(columns[1], np.int64)
    time = np.array([to_aware(moment).timestamp() for moment in columns[2]])
    since = experiment.started or datetime(1971, 1, 1)
    outcomes = [(arms.index(pk), *outcome) for pk, *outcome in _outcomes(arms, since)]
    clicks, orders, revenue, margin = _sum_by_exposure(outcomes, arm, visitor, time)
    spent, bought = _spending(visitor, time, since)
    return Exposures(
        arms=arms,
        arm=arm,
        visitor=visitor,
        time=time,
        segment=np.array(columns[3], np.int64),
        propensity=np.array(columns[4], np.float64),
        established=time - np.array([to_aware(moment).timestamp() for moment in columns[5]])
        >= ESTABLISHED_AFTER.total_seconds(),
        clicks=clicks,
        orders=orders,
        revenue=revenue,
        margin=margin,
        spent=spent,
        bought=bought,
    )


def _outcomes(arms: Iterable[int], since: datetime) -> list[tuple[int, int, float, int, int, float, float]]:
    """(arm, visitor, time of the impression, clicks, orders, revenue, margin) of the arms' successful offers."""
    names = [str(arm) for arm in arms]
    impressions = Impression.objects.filter(arm__in=names, time__gte=to_db_time(to_aware(since)))
    outcomes = []
    for arm, visitor, time in impressions.exclude(clicked=None).values_list("arm", "visitor_id", "time"):
        outcomes.append((int(arm), visitor, to_aware(time).timestamp(), 1, 0, 0.0, 0.0))
    lines = Conversion.objects.filter(
        is_purchase=True, quantity__gt=0, time__gte=to_db_time(to_aware(since)), impression__arm__in=names
    )
    counted: set[tuple[str, int, str]] = set()
    for arm, visitor, time, basket, revenue, margin in (
        lines.order_by("-impression__time")
        .values_list("impression__arm", "impression__visitor", "impression__time", "event__basket")
        .annotate(Sum("revenue"), Sum("margin"))
    ):
        # An order counts once per arm, on the day of the latest impression behind it; a line without one counts alone.
        orders = int(not basket or (arm, visitor, basket) not in counted)
        counted.add((arm, visitor, basket))
        outcomes.append((int(arm), visitor, to_aware(time).timestamp(), 0, orders, float(revenue), float(margin)))
    return outcomes


def _sum_by_exposure(
    outcomes: list[tuple[Any, ...]], arm: IntArray, visitor: IntArray, time: FloatArray
) -> tuple[FloatArray, ...]:
    """Clicks, orders, revenue and margin of each exposure, shape (rows,) each."""
    sums = np.zeros((4, len(arm)))
    rows: dict[tuple[int, int, int], int] = {}
    days = (time // DAY).astype(np.int64)
    for row, key in enumerate(zip(arm.tolist(), visitor.tolist(), days.tolist(), strict=True)):
        rows.setdefault(key, row)
    for number, visitor_pk, seconds, *values in outcomes:
        exposure = rows.get((number, visitor_pk, int(seconds // DAY)))
        if exposure is not None:
            sums[:, exposure] += values
    return tuple(sums)


def _spending(visitor: IntArray, time: FloatArray, since: datetime) -> tuple[FloatArray, FloatArray]:
    """Spend and number of orders of each exposure's visitor until their next exposure, shape (rows,) each."""
    spent, bought = np.zeros(len(visitor)), np.zeros(len(visitor))
    for chunk in chunks(np.unique(visitor).tolist(), MAX_LOOKUP_IDS):
        events = Event.objects.filter(
            visitor__in=chunk, time__gte=to_db_time(to_aware(since)), kind__in=(Kind.PURCHASE, Kind.REFUND)
        ).order_by()
        counted: set[tuple[int, str]] = set()
        for visitor_pk, when, kind, price, quantity, basket in events.values_list(
            "visitor", "time", "kind", "price", "quantity", "basket"
        ):
            first, last = np.searchsorted(visitor, [visitor_pk, visitor_pk + 1])
            row = first + int(np.searchsorted(time[first:last], to_aware(when).timestamp(), "right")) - 1
            if visitor_pk is None or row < first:
                # Bought before the first exposure.
                continue
            amount = float(price or 0) * float(quantity)
            spent[row] += amount if kind == Kind.PURCHASE else -amount
            if kind == Kind.PURCHASE and (visitor_pk, basket) not in counted:
                counted.add((visitor_pk, basket))
                bought[row] += 1
    return spent, bought
