"""The overview page: health, next steps and earnings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..insights.earnings import EarningsLine, latest, report, totals
from ..insights.health import MAX_COUNT, Health, Readiness, health
from ..models import Omission, Segment, TrainingRun
from .base import strategy_label
from .components.charts import Cell, Chart, Column, Row
from .components.figures import format_number, money, percent
from .earnings import day_charts

DAYS = 28
SEGMENTS = 6


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One line of the health section.

    label, text, note: as shown
    state: "good", "weak", "bad" or empty
    url: name of the page it links to
    """

    label: str
    text: str
    state: str = ""
    url: str = ""
    note: str = ""


def overview_page(request: HttpRequest) -> dict[str, Any]:
    """The context of the page; sections are limited to users who may view the pages behind them."""
    summary = health()
    context: dict[str, Any] = {
        "title": _("Overview"),
        "steps": _steps(summary),
        "marks": _marks(summary),
        "readiness": [(strategy_label(row.strategy), row, _readiness_label(row)) for row in summary.readiness],
        "omitted": [(Omission.Reason(reason).label, format_number(count, 0)) for reason, count in summary.omitted],
    }
    if request.user.has_perm("ecomrec.view_dailyfigure"):
        context |= _earnings()
    if request.user.has_perm("ecomrec.view_segment"):
        context["segments"] = (
            Segment.objects.filter(size__gt=0).only("name", "description", "size").order_by("-size")[:SEGMENTS]
        )
    return context


def _steps(summary: Health) -> list[str]:
    """Next steps, until shoppers see offers."""
    steps = []
    if not summary.items:
        steps.append(_("The catalog has not been synced yet. Run “manage.py ecomrec_sync”."))
    if summary.items and not summary.events:
        steps.append(_("No events recorded yet. Add the middleware; each training imports orders."))
    if summary.items and summary.trained is None:
        steps.append(_("Nothing has been trained yet. Run “manage.py ecomrec_train --publish”."))
    held_back = next(
        (each for each in (summary.newest, summary.published) if each is not None and each.held_back), None
    )
    if held_back is not None:
        names = ", ".join(strategy_label(verdict.strategy) for verdict in held_back.held_back)
        steps.append(
            _("%(release)s holds back: %(strategies)s. Open it to see why.")
            % {"release": held_back, "strategies": names}
        )
    elif summary.newest is not None:
        steps.append(
            _("%(release)s is ready to publish. Review its lists, then publish it.") % {"release": summary.newest}
        )
    if summary.to_review:
        steps.append(
            ngettext("%(count)s list needs review.", "%(count)s lists need review.", summary.to_review)
            % {"count": _at_most(summary.to_review)}
        )
    return steps


def _at_most(count: int) -> str:
    return f"{format_number(count, 0)}+" if count >= MAX_COUNT else format_number(count, 0)


def _marks(summary: Health) -> list[Mark]:
    run = summary.trained
    failed = run is not None and run.status == TrainingRun.Status.FAILED
    marks = [
        Mark(
            label=_("Catalog sync"),
            text=_ago(summary.synced),
            state=_fresh(summary.synced, days=1),
            url="admin:ecomrec_item_changelist",
        ),
        Mark(
            label=_("Last training"),
            text=_("failed") if failed else _ago(run.finished or run.started if run is not None else None),
            state="bad" if failed else _fresh(run.started if run is not None else None, days=7),
            url="admin:ecomrec_trainingrun_changelist",
            note=run.message if failed and run is not None else "",
        ),
        Mark(
            label=_("Published"),
            text=str(summary.published) if summary.published is not None else _("nothing"),
            state="good" if summary.published is not None else "bad",
            url="admin:ecomrec_release_changelist",
        ),
        _activity(summary),
        Mark(
            label=_("Review queue"),
            text=_at_most(summary.to_review),
            state="",
            url="admin:ecomrec_reviewlist_changelist",
        ),
    ]
    if summary.held:
        marks.append(
            Mark(
                label=_("Events waiting for a product"),
                text=_at_most(summary.held),
                state="weak",
                url="admin:ecomrec_heldevent_changelist",
            )
        )
    if summary.queue is not None:
        text = _("Redis is not responding") if summary.queue < 0 else format_number(summary.queue, 0)
        state = "bad" if summary.queue < 0 else "good" if summary.queue < 10_000 else "weak"
        marks.append(Mark(label=_("Events waiting in Redis"), text=text, state=state))
    return marks


def _activity(summary: Health) -> Mark:
    """The number of recent events; less than half of the usual number may mean that tracking is broken."""
    activity = summary.activity
    usual = _("usually %(count)s") % {"count": format_number(activity.usual, 0)} if activity.usual is not None else ""
    is_usual = activity.usual is not None and activity.today >= activity.usual / 2
    state = "" if activity.usual is None else "good" if is_usual else "weak" if activity.today else "bad"
    return Mark(
        label=_("Events in the last 24 hours"),
        text=format_number(activity.today, 0),
        state=state,
        url="admin:ecomrec_event_changelist",
        note=usual,
    )


def _ago(moment: Any) -> str:
    return _("%(time)s ago") % {"time": timesince(moment, depth=1)} if moment is not None else _("never")


def _fresh(moment: Any, days: int) -> str:
    if moment is None:
        return "bad"
    return "good" if timezone.now() - moment < timedelta(days=days + 1) else "weak"


def _readiness_label(readiness: Readiness) -> str:
    return {"good": _("good"), "weak": _("weak"), "fallback": _("using fallback")}[readiness.state]


def _earnings() -> dict[str, Any]:
    since, until = latest(DAYS, timezone.localdate())
    daily = report(since, until, "day")
    return {
        "earned": True,
        "days": DAYS,
        "funnel": _funnel(daily) if daily else None,
        "charts": day_charts(daily) if len(daily) > 1 else [],
        "revenue": money(sum(line.revenue for line in daily)),
        "shop_orders": format_number(totals(since, until).orders, 0),
    }


def _funnel(daily: list[EarningsLine]) -> Chart:
    """From impressions to purchases."""
    counts = [
        (_("Impressions"), sum(line.impressions for line in daily)),
        (_("Clicks"), sum(line.clicks for line in daily)),
        (_("Added to cart"), sum(line.cart_adds for line in daily)),
        (_("Orders"), sum(line.orders for line in daily)),
    ]
    first = counts[0][1]
    rows = [
        Row(str(label), [Cell(format_number(count, 0), float(count)), Cell(percent(count / first if first else None))])
        for label, count in counts
    ]
    columns = [Column(_("Step")), Column(_("Count"), drawn=True), Column(_("Share of impressions"))]
    return Chart(kind="bars", caption=_("From impression to purchase"), columns=columns, rows=rows)
