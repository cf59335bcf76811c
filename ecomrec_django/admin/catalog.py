"""The mirror of what the shop sells: looked at here, changed in the shop."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..models import Category, Item, ItemPicture
from ..serving.looks import looking_like
from .base import ReadOnlyAdmin
from .pictures import picture
from .search import search_items

LOOKALIKES = 12
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
        (_("Picture"), {"fields": ("looks_like", "suggestions", "problem"), "classes": ("collapse",)}),
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

    @admin.display(description=_("looks like this"))
    def looks_like(self, item: Item) -> Any:
        alike = dict(looking_like(item.pk, LOOKALIKES))
        found = Item.objects.defer("description", "attributes").in_bulk(alike)
        url = f"{self.admin_site.name}:ecomrec_item_change"
        rows = [(picture(found[pk], 96), reverse(url, args=[pk]), found[pk].title) for pk in alike if pk in found]
        if not rows:
            return _("Nothing yet: run “manage.py ecomrec_pictures”, then train and publish a release.")
        listed = format_html_join("", '<li><a href="{1}">{0}<span>{2}</span></a></li>', rows)
        return format_html('<ul class="ecomrec-lookalikes">{}</ul>', listed)

    @admin.display(description=_("its picture suggests"))
    def suggestions(self, item: Item) -> str:
        seen = _seen(item)
        told = seen.suggested if seen is not None else {}
        names = {}
        if "category" in told:
            names = dict(Category.objects.filter(pk=told["category"][0]).values_list("pk", "path"))
        lines = [
            _("%(name)s: %(value)s (%(percent)s %%)")
            % {
                "name": name.removeprefix("attribute:"),
                "value": names.get(value, value) if name == "category" else value,
                "percent": round(100 * chance),
            }
            for name, (value, chance) in told.items()
        ]
        return "; ".join(lines) or "–"

    @admin.display(description=_("problem with its picture"))
    def problem(self, item: Item) -> str:
        seen = _seen(item)
        return seen.problem if seen is not None and seen.problem else "–"

    @admin.display(description=_("recommendations"))
    def lists(self, item: Item) -> SafeString:
        url = reverse(f"{self.admin_site.name}:ecomrec_offerlist_changelist")
        return format_html(
            '<a href="{}?{}">{}</a>', url, urlencode({"q": item.external_id}), _("What is offered beside it")
        )


def _seen(item: Item) -> ItemPicture | None:
    """What was seen in its picture, read once a page."""
    try:
        return item.picture
    except ItemPicture.DoesNotExist:
        return None


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
