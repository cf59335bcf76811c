"""What offers added in an experiment with a holdout, in a sentence."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext

from .charts import mapping, number
from .figures import money


def incremental_sentence(results: Any) -> str:
    """The incremental revenue in ``Experiment.results`` with its interval; "" where it was not measured."""
    found = mapping(mapping(results).get("incremental"))
    mean, low, high = (number(found.get(name)) for name in ("mean", "low", "high"))
    if mean is None:
        return ""
    if low is None or high is None:
        text = gettext("%(mean)s incremental revenue so far; not enough visitors for a reliable interval.")
        return text % {"mean": money(mean)}
    if low > 0:
        text = gettext("Offers added revenue: %(mean)s (95 percent interval: %(low)s to %(high)s).")
    elif high < 0:
        text = gettext("Offers reduced revenue: %(mean)s (95 percent interval: %(low)s to %(high)s).")
    else:
        text = gettext("%(mean)s incremental revenue (95 percent interval: %(low)s to %(high)s); not significant.")
    return text % {"mean": money(mean), "low": money(low), "high": money(high)}
