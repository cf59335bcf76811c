"""What an experiment showed and what came of it, as arrays: a row for each visitor, arm and day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from django.db.models import Sum

from ..models import Conversion, Event, Experiment, Exposure, Impression, Kind
from ..models.bulk import LOOKUP, aware, chunks, storable

DAY = 86_400.0


@dataclass(frozen=True)
class Exposed:
    """Shape (rows,) each, in the order of visitor and time.

    arm: place among ``arms`` (Arm.pks, the holdout included) · visitor: Visitor.pk · time: seconds since 1970 ·
    segment: Segment.pk, 0 for none · propensity · clicks, orders, revenue, margin: of the arm's own offers, by the day
    that they were seen · spent, bought: money and orders of the visitor in all, from this exposure to the next.
    """

    arms: tuple[int, ...]
    arm: np.ndarray
    visitor: np.ndarray
    time: np.ndarray
    segment: np.ndarray
    propensity: np.ndarray
    clicks: np.ndarray
    orders: np.ndarray
    revenue: np.ndarray
    margin: np.ndarray
    spent: np.ndarray
    bought: np.ndarray

    def __len__(self) -> int:
        return len(self.arm)

    @property
    def first(self) -> np.ndarray:
        """Which rows are the first of their visitor."""
        return np.r_[True, self.visitor[1:] != self.visitor[:-1]] if len(self) else np.empty(0, bool)

    @property
    def single(self) -> np.ndarray:
        """Which rows are of visitors who saw one arm alone; others came by two devices, or their shares changed."""
        return self._alike(self.arm)

    def apart(self, arm: int) -> np.ndarray:
        """Which rows are of visitors who saw ``arm`` alone or never; how often others changed is no matter."""
        return self._alike((self.arm == arm).astype(np.int64))

    def _alike(self, what: np.ndarray) -> np.ndarray:
        """Which rows are of visitors of whom ``what`` (0 … arms) is the same in all rows."""
        own = np.cumsum(self.first) - 1
        least, most = np.full(own.max(initial=-1) + 1, len(self.arms)), np.full(own.max(initial=-1) + 1, -1)
        np.minimum.at(least, own, what)
        np.maximum.at(most, own, what)
        return (least == most)[own]


def exposed(experiment: Experiment) -> Exposed:
    """Everything that the experiment showed so far. Reads by arm and visitor, never the whole of a table."""
    arms = tuple(experiment.arms.order_by("pk").values_list("pk", flat=True))
    read = Exposure.objects.filter(arm__in=arms).order_by("visitor_id", "time")
    rows = list(read.values_list("arm_id", "visitor_id", "time", "segment", "propensity"))
    columns = list(zip(*rows, strict=True)) or [()] * 5
    arm = np.searchsorted(arms, np.array(columns[0], np.int64))
    visitor = np.array(columns[1], np.int64)
    time = np.array([aware(one).timestamp() for one in columns[2]])
    since = experiment.started or datetime(1971, 1, 1)
    credited = [(arms.index(pk), *rest) for pk, *rest in _credited(arms, since)]
    clicks, orders, revenue, margin = _on_their_day(credited, arm, visitor, time)
    spent, bought = _spent(visitor, time, since)
    return Exposed(
        arms,
        arm,
        visitor,
        time,
        np.array(columns[3], np.int64),
        np.array(columns[4], np.float64),
        clicks,
        orders,
        revenue,
        margin,
        spent,
        bought,
    )


def _credited(arms: Iterable[int], since: datetime) -> list[tuple[int, int, float, int, int, float, float]]:
    """(arm, visitor, seconds when seen, clicks, orders, revenue, margin) of the arms' offers that led to anything."""
    names = [str(arm) for arm in arms]
    shown = Impression.objects.filter(arm__in=names, time__gte=storable(aware(since)))
    found = []
    for arm, visitor, time in shown.exclude(clicked=None).values_list("arm", "visitor_id", "time"):
        found.append((int(arm), visitor, aware(time).timestamp(), 1, 0, 0.0, 0.0))
    lines = Conversion.objects.filter(
        purchase=True, quantity__gt=0, time__gte=storable(aware(since)), impression__arm__in=names
    )
    counted: set[tuple[str, int, str]] = set()
    for arm, visitor, time, basket, revenue, margin in (
        lines.order_by("-impression__time")
        .values_list("impression__arm", "impression__visitor", "impression__time", "event__basket")
        .annotate(Sum("revenue"), Sum("margin"))
    ):
        # An order counts once for an arm: when the latest offer that led to it was seen. Without a name it is its own.
        orders = int(not basket or (arm, visitor, basket) not in counted)
        counted.add((arm, visitor, basket))
        found.append((int(arm), visitor, aware(time).timestamp(), 0, orders, float(revenue), float(margin)))
    return found


def _on_their_day(
    credited: list[tuple[Any, ...]], arm: np.ndarray, visitor: np.ndarray, time: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Clicks, orders, revenue and margin of each exposure, shape (rows,) each."""
    sums = np.zeros((4, len(arm)))
    places: dict[tuple[int, int, int], int] = {}
    days = (time // DAY).astype(np.int64)
    for place, key in enumerate(zip(arm.tolist(), visitor.tolist(), days.tolist(), strict=True)):
        places.setdefault(key, place)
    for number, who, seconds, *values in credited:
        row = places.get((number, who, int(seconds // DAY)))
        if row is not None:
            sums[:, row] += values
    return tuple(sums)


def _spent(visitor: np.ndarray, time: np.ndarray, since: datetime) -> tuple[np.ndarray, np.ndarray]:
    """What each visitor spent, and in how many orders, from each exposure to the next; shape (rows,) both."""
    spent, bought = np.zeros(len(visitor)), np.zeros(len(visitor))
    for some in chunks(np.unique(visitor).tolist(), LOOKUP):
        events = Event.objects.filter(
            visitor__in=some, time__gte=storable(aware(since)), kind__in=(Kind.PURCHASE, Kind.REFUND)
        ).order_by()
        counted: set[tuple[int, str]] = set()
        for who, when, kind, price, quantity, basket in events.values_list(
            "visitor", "time", "kind", "price", "quantity", "basket"
        ):
            first, last = np.searchsorted(visitor, [who, who + 1])
            place = first + int(np.searchsorted(time[first:last], aware(when).timestamp(), "right")) - 1
            if who is None or place < first:
                # Bought before the experiment was met.
                continue
            worth = float(price or 0) * quantity
            spent[place] += worth if kind == Kind.PURCHASE else -worth
            if kind == Kind.PURCHASE and (who, basket) not in counted:
                counted.add((who, basket))
                bought[place] += 1
    return spent, bought
