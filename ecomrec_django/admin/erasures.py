"""Receipts of those who were forgotten. Nothing here names a person."""

from __future__ import annotations

from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..models import Erasure
from .base import ReadOnlyAdmin
from .runs import figure_table


@admin.register(Erasure)
class ErasureAdmin(ReadOnlyAdmin):
    list_display = ("receipt", "time", "completed", "rows")
    ordering = ("-pk",)
    sortable_by = ()
    search_fields = ("receipt__exact",)
    search_note = _("The whole receipt")
    empty_hint = _("Nobody has asked to be forgotten yet.")
    fields = ("receipt", "time", "completed", "figures")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Erasure]:
        """Without the rows that only bar the further keys of somebody who has a receipt."""
        return super().get_queryset(request).exclude(removed={})

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Erasure], search_term: str
    ) -> tuple[QuerySet[Erasure], bool]:
        text = search_term.strip()
        if not text:
            return queryset, False
        try:
            return queryset.filter(receipt=UUID(text)), False
        except ValueError:
            return queryset.none(), False

    @admin.display(description=_("rows removed"))
    def rows(self, erasure: Erasure) -> int:
        return sum(erasure.removed.values())

    @admin.display(description=_("removed"))
    def figures(self, erasure: Erasure) -> SafeString:
        return figure_table(erasure.removed)
