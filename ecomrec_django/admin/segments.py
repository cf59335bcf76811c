"""Segments of shoppers: size, distinguishing features, and names given by staff."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, Subquery, Sum, Value
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..models import Segment
from .base import EcomrecAdmin
from .components.charts import CHART_MEDIA
from .components.evidence import format_value
from .components.segment_charts import aisles_chart, features_chart, interest_map, legend


@admin.register(Segment)
class SegmentAdmin(EcomrecAdmin):
    """Segments of shoppers, which staff may name."""

    list_display = ("__str__", "description_column", "size", "share", "kind", "updated")
    ordering = ("label",)
    sortable_by = ()
    empty_hint = _("No segments yet. “manage.py ecomrec_train” creates them once there are enough shoppers.")
    change_form_template = "admin/ecomrec/segment/change_form.html"
    readonly_fields = ("description", "size", "share", "kind", "updated")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        """Segments with the total number of shoppers."""
        # Grouped by a constant, so that the sum covers all segments, not only those on the page.
        sizes = Segment.objects.order_by().values(of_all=Value(1)).annotate(total=Sum("size")).values("total")
        return super().get_queryset(request).annotate(everybody=Subquery(sizes)).defer("centre")

    def get_fields(self, request: HttpRequest, obj: Segment | None = None) -> Any:
        """The fields; the kind is shown only for outliers."""
        kind = ["kind"] if obj is not None and obj.outliers else []
        return ["name", "description", "size", "share", *kind, "updated"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody: segments are created by training."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: segments are deleted by training."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """The stock pages, preceded by additional ones."""
        interests = path(
            "interests/", self.admin_site.admin_view(self.interests_view), name="ecomrec_segment_interests"
        )
        return [interests, *super().get_urls()]

    def save_model(self, request: HttpRequest, obj: Segment, form: Any, change: bool) -> None:  # noqa: FBT001  as Django calls it
        """Store the name only."""
        # The other fields, including the time of the last update, are set by training.
        obj.save(update_fields=["name"])

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The segment with the charts of its profile."""
        segment = self.get_object(request, unquote(object_id))
        context: dict[str, Any] = {}
        if segment is not None and self.has_view_permission(request, segment):
            charts = [features_chart(segment), aisles_chart(segment)]
            context = {"charts": [chart for chart in charts if chart.rows], "chart_media": CHART_MEDIA}
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def interests_view(self, request: HttpRequest) -> HttpResponse:
        """The map of what each segment buys more and less of than all shoppers."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        segments = Segment.objects.defer("centre")
        context = {"title": gettext("Segment interests"), "map": interest_map(segments), "legend": legend()}
        return self.page(request, "admin/ecomrec/segment/interests.html", context)

    @admin.display(description=_("description"), empty_value="")
    def description_column(self, segment: Segment) -> str:
        """The description, if staff gave the segment another name."""
        return segment.description if segment.name else ""

    @admin.display(description=_("share"))
    def share(self, segment: Any) -> str:
        """Its share of all shoppers."""
        return format_value(segment.size / segment.everybody, "percent") if segment.everybody else "–"

    @admin.display(description=_("kind"), empty_value="")
    def kind(self, segment: Segment) -> SafeString | str:
        """A badge for outliers."""
        if segment.outliers:
            return format_html('<span class="ecomrec-badge">{}</span>', _("outliers"))
        return ""
