"""Shared by the pages that list offer lists: owner, preview of the first offers, and search."""

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

from ..base import ReadOnlyAdmin
from .offer_cards import items_by_id
from .search import matching_ids
from .thumbnails import thumbnail

PREVIEWED = 5


class PreviewChangeList(ChangeList):
    """Adds `length` and `preview` to each row; items are read in one query for the whole page."""

    def offers_of(self, row: Any) -> Sequence[str]:
        """External ids of the offers of a row."""
        raise NotImplementedError

    def get_results(self, request: HttpRequest) -> None:
        """The rows of the page, each with its `length` and `preview`."""
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
    search_note = _("Product ID or title of the item that the offers are shown with")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Lists with their anchor, category and release, in one query."""
        lists = super().get_queryset(request).select_related("anchor", "category", "release")
        return lists.defer("anchor__description")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Lists of the items that match."""
        return (queryset.filter(anchor__in=matching_ids(search_term)) if search_term.strip() else queryset), False

    @admin.display(description="")
    def anchor_picture(self, row: Any) -> SafeString:
        """The anchor's image."""
        return thumbnail(row.anchor)

    @admin.display(description=_("shown with"))
    def owner(self, row: Any) -> str:
        """Item, category or the whole shop."""
        return row.owner

    @admin.display(description=_("top offers"))
    def offered(self, row: Any) -> SafeString:
        """Images of the first offers."""
        thumbnails = ((item.title, thumbnail(item, 32)) for item in row.preview)
        images = format_html_join("", '<span title="{}">{}</span>', thumbnails)
        return format_html('<span class="ecomrec-row">{}</span>', images)
