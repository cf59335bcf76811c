"""What the pages that list offer lists share: whose they are, the first items of each, and the search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from .base import ReadOnlyAdmin
from .cards import items_by_id
from .pictures import picture
from .search import found_ids

PREVIEWED = 5


class PreviewChangeList(ChangeList):
    """Gives each row the first of its offers and their number; the items are read in one query for the whole page."""

    def offers_of(self, row: Any) -> Sequence[str]:
        """External ids of the offers that a row shows."""
        raise NotImplementedError

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        offered = {row.pk: self.offers_of(row) for row in self.result_list}
        items = items_by_id(key for keys in offered.values() for key in keys[:PREVIEWED])
        for row in self.result_list:
            row.length = len(offered[row.pk])
            row.preview = [items[key] for key in offered[row.pk][:PREVIEWED] if key in items]


class ListsAdmin(ReadOnlyAdmin):
    """Rows of offer lists, read by a `PreviewChangeList`."""

    list_display_links = ("owner",)
    sortable_by = ()
    search_fields = ("anchor__external_id", "anchor__title")
    search_note = _("Shop's id or title of the item beside which the offers stand")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        lists = super().get_queryset(request).select_related("anchor", "category", "release")
        return lists.defer("anchor__description")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return (queryset.filter(anchor__in=found_ids(search_term)) if search_term.strip() else queryset), False

    @admin.display(description="")
    def anchor_picture(self, row: Any) -> SafeString:
        return picture(row.anchor)

    @admin.display(description=_("beside"))
    def owner(self, row: Any) -> str:
        return row.owner

    @admin.display(description=_("offered"))
    def offered(self, row: Any) -> SafeString:
        shown = ((item.title, picture(item, 32)) for item in row.preview)
        pictures = format_html_join("", '<span title="{}">{}</span>', shown)
        return format_html('<span class="ecomrec-row">{}</span>', pictures)
