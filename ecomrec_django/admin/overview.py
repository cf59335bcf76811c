"""The overview: whether everything runs, what to do next, and what offers bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..insights.earnings import Line, latest, report, totals
from ..insights.health import COUNTED, Health, Readiness, health
from ..models import Omission, Segment, TrainingRun
from .base import strategy_label
from .charts import Cell, Chart, Column, Row
from .earnings import day_charts, money, percent
from .evidence import rounded

DAYS = 28
SEGMENTS = 6


@dataclass(frozen=True)
class Mark:
    """One line of health. ``state``: "good", "weak", "bad" or "" where it is neither; ``url``: name of a page."""

    label: str
    text: str
    state: str = ""
    url: str = ""
    note: str = ""


def overview_page(request: HttpRequest) -> dict[str, Any]:
    """The context of the page: each part for those who may see the pages that it sums up."""
    found = health()
    context: dict[str, Any] = {
        "title": _("Overview"),
        "steps": _steps(found),
        "marks": _marks(found),
        "readiness": [(strategy_label(one.strategy), one, _readiness_said(one)) for one in found.readiness],
        "left_out": [(Omission.Reason(reason).label, rounded(count, 0)) for reason, count in found.left_out],
    }
    if request.user.has_perm("ecomrec.view_dailyfigure"):
        context |= _earned()
    if request.user.has_perm("ecomrec.view_segment"):
        context["segments"] = (
            Segment.objects.filter(size__gt=0).only("name", "described", "size").order_by("-size")[:SEGMENTS]
        )
    return context


def _steps(found: Health) -> list[str]:
    """What to do next, until shoppers see offers."""
    steps = []
    if not found.items:
        steps.append(_("Nothing has been read from the shop yet: run “manage.py ecomrec_sync”."))
    if found.items and not found.events:
        steps.append(_("No event was recorded yet: add the middleware, and import orders by a training."))
    if found.items and found.trained is None:
        steps.append(_("Nothing was learned yet: run “manage.py ecomrec_train --publish”."))
    if found.newest is not None and found.newest.refused:
        steps.append(_("%(release)s was refused by its evaluation: open it to read why.") % {"release": found.newest})
    elif found.newest is not None:
        steps.append(
            _("%(release)s waits to be published: review its lists, then publish it.") % {"release": found.newest}
        )
    if found.to_review:
        steps.append(
            ngettext("%(count)s list is to be reviewed.", "%(count)s lists are to be reviewed.", found.to_review)
            % {"count": _at_most(found.to_review)}
        )
    return steps


def _at_most(count: int) -> str:
    return f"{rounded(count, 0)}+" if count >= COUNTED else rounded(count, 0)


def _marks(found: Health) -> list[Mark]:
    run = found.trained
    failed = run is not None and run.status == TrainingRun.Status.FAILED
    marks = [
        Mark(_("Catalog read"), _ago(found.synced), _fresh(found.synced, days=1), "admin:ecomrec_item_changelist"),
        Mark(
            _("Last training"),
            _("failed") if failed else _ago(run.finished or run.started if run is not None else None),
            "bad" if failed else _fresh(run.started if run is not None else None, days=7),
            "admin:ecomrec_trainingrun_changelist",
            run.message if failed and run is not None else "",
        ),
        Mark(
            _("Published"),
            str(found.published) if found.published is not None else _("nothing"),
            "good" if found.published is not None else "bad",
            "admin:ecomrec_release_changelist",
        ),
        _activity(found),
        Mark(_("Lists to review"), _at_most(found.to_review), "", "admin:ecomrec_reviewlist_changelist"),
    ]
    if found.held:
        marks.append(
            Mark(
                _("Events that wait for a product"), _at_most(found.held), "weak", "admin:ecomrec_heldevent_changelist"
            )
        )
    if found.queue is not None:
        text = _("Redis does not answer") if found.queue < 0 else rounded(found.queue, 0)
        state = "bad" if found.queue < 0 else "good" if found.queue < 10_000 else "weak"
        marks.append(Mark(_("Events waiting in Redis"), text, state))
    return marks


def _activity(found: Health) -> Mark:
    """Fewer than half of the usual events may mean that tracking is broken."""
    one = found.activity
    usual = _("usually %(count)s") % {"count": rounded(one.usual, 0)} if one.usual is not None else ""
    state = "" if one.usual is None else "good" if one.today >= one.usual / 2 else "weak" if one.today else "bad"
    return Mark(_("Events in 24 hours"), rounded(one.today, 0), state, "admin:ecomrec_event_changelist", usual)


def _ago(moment: Any) -> str:
    return _("%(time)s ago") % {"time": timesince(moment, depth=1)} if moment is not None else _("never")


def _fresh(moment: Any, days: int) -> str:
    if moment is None:
        return "bad"
    return "good" if (timezone.now() - moment).total_seconds() < (days + 1) * 86_400 else "weak"


def _readiness_said(one: Readiness) -> str:
    return {"good": _("good"), "weak": _("weak"), "fallback": _("fall-back in use")}[one.state]


def _earned() -> dict[str, Any]:
    since, until = latest(DAYS, timezone.localdate())
    daily = report(since, until, "day")
    return {
        "earned": True,
        "days": DAYS,
        "funnel": _funnel(daily) if daily else None,
        "charts": day_charts(daily) if len(daily) > 1 else [],
        "revenue": money(sum(line.revenue for line in daily)),
        "shop_orders": rounded(totals(since, until).orders, 0),
    }


def _funnel(daily: list[Line]) -> Chart:
    """From what came into view to what was bought."""
    counts = [
        (_("Seen"), sum(line.impressions for line in daily)),
        (_("Clicked"), sum(line.clicks for line in daily)),
        (_("Put in the cart"), sum(line.cart_adds for line in daily)),
        (_("Orders"), sum(line.orders for line in daily)),
    ]
    first = counts[0][1]
    rows = [
        Row(str(label), [Cell(rounded(count, 0), float(count)), Cell(percent(count / first if first else None))])
        for label, count in counts
    ]
    columns = [Column(_("Step")), Column(_("Count"), drawn=True), Column(_("Of those seen"))]
    return Chart("bars", _("From seen to bought"), columns, rows)
