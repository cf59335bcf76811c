"""Training runs: progress, outcome and metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from ..models import TrainingRun
from .base import ReadOnlyAdmin
from .components.charts import CHART_MEDIA
from .components.figures import format_number, percent_text
from .components.network_charts import DRAWN, run_charts


@admin.register(TrainingRun)
class TrainingRunAdmin(ReadOnlyAdmin):
    """Training runs with their progress, messages and figures."""

    list_display = ("__str__", "kind", "state", "progress", "stage", "short_message", "started")
    list_filter = ("kind", "status")
    ordering = ("-pk",)
    sortable_by = ()
    empty_hint = _("No training runs yet. Run “manage.py ecomrec_train --publish”.")
    change_form_template = "admin/ecomrec/trainingrun/change_form.html"
    fields = ("kind", "state", "progress", "stage", "until", "started", "finished", "message", "figures")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A run with its charts."""
        run = self.get_object(request, object_id)
        charts = [] if run is None else run_charts(run)
        context = {"charts": charts, "chart_media": CHART_MEDIA, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    @admin.display(description=_("status"))
    def state(self, run: TrainingRun) -> SafeString:
        """The status as a badge."""
        return format_html(
            '<span class="ecomrec-badge ecomrec-{}">{}</span>', run.status, TrainingRun.Status(run.status).label
        )

    @admin.display(description=_("progress"))
    def progress(self, run: TrainingRun) -> SafeString:
        """A progress bar."""
        return format_html(
            '<progress class="ecomrec-progress" max="100" value="{0}" aria-label="{1}"></progress> {2}',
            run.percent,
            _("progress"),
            percent_text(str(run.percent)),
        )

    @admin.display(description=_("message"))
    def short_message(self, run: TrainingRun) -> str:
        """The beginning of its message."""
        return Truncator(run.message).chars(80)

    @admin.display(description=_("metrics"))
    def figures(self, run: TrainingRun) -> SafeString | str:
        """Its figures, except those shown as charts."""
        metrics = {name: value for name, value in run.metrics.items() if name not in DRAWN}
        return figure_table(metrics) if metrics else "–"


def figure_table(metrics: dict[str, Any]) -> SafeString:
    """Nested metrics as a two-column table: ``{"seconds": {"pairs": 1.5}}`` reads "seconds · pairs  1.5"."""
    rows = format_html_join("", '<tr><th scope="row">{}</th><td>{}</td></tr>', _flat(metrics))
    return format_html('<table class="ecomrec-figures">{}</table>', rows)


def _flat(metrics: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    for name, value in metrics.items():
        full_path = (*path, str(name).replace("_", " "))
        if isinstance(value, dict):
            yield from _flat(value, full_path)
        else:
            yield " · ".join(full_path), _readable(value)


def _readable(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return format_number(value, 0 if isinstance(value, int) else 3)
