"""Receipts of erasures, which name no person."""

from __future__ import annotations

from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..models import Erasure
from .base import ReadOnlyAdmin
from .training_runs import figure_table


@admin.register(Erasure)
class ErasureAdmin(ReadOnlyAdmin):
    """Erasure requests, and the rows that each removed."""

    list_display = ("receipt", "time", "completed", "rows")
    ordering = ("-pk",)
    sortable_by = ()
    search_fields = ("receipt__exact",)
    search_note = _("The complete receipt")
    empty_hint = _("No erasure requests yet.")
    fields = ("receipt", "time", "completed", "figures")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Erasure]:
        """Erasures without the rows for additional keys of a person who has a receipt."""
        return super().get_queryset(request).exclude(removed_rows={})

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Erasure], search_term: str
    ) -> tuple[QuerySet[Erasure], bool]:
        """By the complete receipt."""
        text = search_term.strip()
        if not text:
            return queryset, False
        try:
            return queryset.filter(receipt=UUID(text)), False
        except ValueError:
            return queryset.none(), False

    @admin.display(description=_("rows removed"))
    def rows(self, erasure: Erasure) -> int:
        """Total number of rows removed."""
        return sum(erasure.removed_rows.values())

    @admin.display(description=_("removed"))
    def figures(self, erasure: Erasure) -> SafeString:
        """Rows removed by table."""
        return figure_table(erasure.removed_rows)
