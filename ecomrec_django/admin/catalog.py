"""The mirror of what the shop sells: looked at here, changed in the shop."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..models import Category, Item
from .base import ReadOnlyAdmin
from .pictures import picture
from .search import search_items

SYNC_HINT = _("Nothing has been read from the shop yet: run “manage.py ecomrec_sync”.")


@admin.register(Item)
class ItemAdmin(ReadOnlyAdmin):
    list_display = ("thumbnail", "title", "brand", "category", "price", "rating", "available", "active")
    list_display_links = ("title",)
    list_select_related = ("category",)
    ordering = ("title", "pk")
    # The columns that no index sorts are not sortable.
    sortable_by = ("title",)
    search_fields = ("external_id", "title")
    search_note = _("Shop's id, or words of the title (in a very large catalog: how the title begins)")
    empty_hint = SYNC_HINT
    fieldsets = (
        (None, {"fields": ("large_picture", "title", "external_id", "category", "brand", "price", "rating")}),
        (_("State"), {"fields": ("available", "active", "first_seen", "synced_at", "lists")}),
        (_("Description"), {"fields": ("description", "attributes"), "classes": ("collapse",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Item]:
        return super().get_queryset(request).defer("description", "attributes")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[QuerySet[Item], bool]:
        return search_items(queryset, search_term), False

    @admin.display(description=_("picture"))
    def thumbnail(self, item: Item) -> SafeString:
        return picture(item)

    @admin.display(description=_("picture"))
    def large_picture(self, item: Item) -> SafeString:
        return picture(item, 160)

    @admin.display(description=_("recommendations"))
    def lists(self, item: Item) -> SafeString:
        url = reverse(f"{self.admin_site.name}:ecomrec_offerlist_changelist")
        return format_html(
            '<a href="{}?{}">{}</a>', url, urlencode({"q": item.external_id}), _("What is offered beside it")
        )


@admin.register(Category)
class CategoryAdmin(ReadOnlyAdmin):
    list_display = ("path", "items_link")
    ordering = ("pk",)
    sortable_by = ()
    search_fields = ("name",)
    empty_hint = SYNC_HINT
    fields = ("name", "path", "parent", "aisle")

    @admin.display(description=_("items"))
    def items_link(self, category: Category) -> SafeString:
        url = reverse(f"{self.admin_site.name}:ecomrec_item_changelist")
        return format_html('<a href="{}?category__id__exact={}">{}</a>', url, category.pk, _("Show its items"))
