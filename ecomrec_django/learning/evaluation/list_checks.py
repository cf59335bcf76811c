"""Common sense about a strategy's lists, whatever they predict: figures, limits, and what to do beyond these."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..sparse import rank_in_group
from ..types import IntArray
from .chance import STAPLES

# Fewer lists, or products to offer, say too little: of a small catalog the staples are a large part.
MIN_LISTS = 100
MIN_ITEMS = 200
MAX_STAPLES = 0.9
MIN_DISTINCT = 10
MIN_DISTINCT_SHARE = 0.01
MAX_REPLACED = 0.5
MAX_VANISHED = 0.3
MIN_KNOWN = 10


@dataclass(frozen=True, kw_only=True)
class ListFigures:
    """What the first offers of a strategy's lists of items look like.

    items: products that may be offered at all.
    lists: how many there are.
    places: first offers in all of them.
    staples: how many of these are of the STAPLES best-selling products.
    distinct: how many different products these are.
    compared: lists that the release shown now has as well, or of a sample of them.
    replaced: how many of these share none of their first offers with the ones shown now.
    """

    items: int
    lists: int
    places: int
    staples: int
    distinct: int
    compared: int = 0
    replaced: int = 0


def list_figures(starts: IntArray, offers: IntArray, bestsellers: IntArray, items: int, places: int) -> ListFigures:
    """``starts`` and ``offers`` as in `strategies.base.Lists`; ``bestsellers`` by sales; ``places``: first offers."""
    owner = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    first = offers[rank_in_group(owner) < places]
    return ListFigures(
        items=items,
        lists=len(starts) - 1,
        places=len(first),
        staples=int(np.isin(first, bestsellers[:STAPLES]).sum()),
        distinct=len(np.unique(first)),
    )


def find_problems(figures: ListFigures) -> list[str]:
    """Sentences that name a figure, its limit and the remedy."""
    problems = []
    if figures.lists >= MIN_LISTS and figures.items >= MIN_ITEMS:
        staples = figures.staples / max(figures.places, 1)
        if staples > MAX_STAPLES:
            problems.append(
                f"The {STAPLES} best-selling products take {_percent(staples)} of the first places; the limit is "
                f"{_percent(MAX_STAPLES)}. Look for products in nearly every order, such as bags, fees or samples, and "
                "hide them with a rule or leave them out of the catalog."
            )
        least = max(MIN_DISTINCT, round(MIN_DISTINCT_SHARE * figures.lists))
        if figures.distinct < least:
            problems.append(
                f"Only {figures.distinct:,} different products stand in the first places of {figures.lists:,} lists; "
                f"the limit is {least:,}. Check with manage.py ecomrec_doctor that all orders are imported."
            )
    if figures.compared >= MIN_LISTS and figures.replaced > MAX_REPLACED * figures.compared:
        problems.append(
            f"{_percent(figures.replaced / figures.compared)} of {figures.compared:,} lists share none of their first "
            f"offers with the lists shown now; the limit is {_percent(MAX_REPLACED)}. A changed setting or a new "
            "version of this package may be the reason: compare the lists, then publish them anyway."
        )
    return problems


def vanished_problem(known: int, remaining: int) -> str | None:
    """A sentence if too many of the products ``known`` to the published release are gone; ``remaining`` are not."""
    if known < MIN_KNOWN or known - remaining <= MAX_VANISHED * known:
        return None
    return (
        f"{known - remaining:,} of {known:,} products ({_percent(1 - remaining / known)}) that the published release "
        f"knows are gone from the catalog; the limit is {_percent(MAX_VANISHED)}. Check the catalog with manage.py "
        "ecomrec_doctor, correct it and train again; if the products were withdrawn, publish anyway."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
