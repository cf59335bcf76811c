"""Read-only pages of the mirrored catalog."""

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
from ..serving.visual_similarity import visually_similar
from .base import ReadOnlyAdmin
from .components.search import search_items
from .components.thumbnails import thumbnail

LOOKALIKES = 12
SYNC_HINT = _("The catalog has not been synced yet. Run “manage.py ecomrec_sync”.")


@admin.register(Item)
class ItemAdmin(ReadOnlyAdmin):
    """Items of the catalog, as they were last synced."""

    list_display = ("thumbnail", "title", "brand", "category", "price", "size", "rating", "available", "active")
    list_display_links = ("title",)
    list_select_related = ("category",)
    ordering = ("title", "pk")
    # Columns without an index are not sortable.
    sortable_by = ("title",)
    search_fields = ("external_id", "title")
    search_note = _("Product ID or words from the title (in a very large catalog: the beginning of the title)")
    empty_hint = SYNC_HINT
    fieldsets = (
        (None, {"fields": ("large_picture", "title", "external_id", "category", "brand", "price", "size", "rating")}),
        (_("Image"), {"fields": ("looks_like", "suggestions", "problem"), "classes": ("collapse",)}),
        (_("State"), {"fields": ("available", "sellable", "active", "first_seen", "synced_at", "lists")}),
        (_("Description"), {"fields": ("description", "attributes"), "classes": ("collapse",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Item]:
        """Items without long texts, which the list does not show."""
        return super().get_queryset(request).defer("description", "attributes")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[QuerySet[Item], bool]:
        """By product ID, or by words of the title."""
        return search_items(queryset, search_term), False

    @admin.display(description=_("image"))
    def thumbnail(self, item: Item) -> SafeString:
        """A small image for the list."""
        return thumbnail(item)

    @admin.display(description=_("image"))
    def large_picture(self, item: Item) -> SafeString:
        """The image on the item's page."""
        return thumbnail(item, 160)

    @admin.display(description=_("size"))
    def size(self, item: Item) -> str:
        """How much it holds, and what a unit costs."""
        return " · ".join(filter(None, (item.size_text, item.unit_price_text))) or self.get_empty_value_display()

    @admin.display(description=_("similar images"))
    def looks_like(self, item: Item) -> Any:
        """Items with similar images, each with a link."""
        similarity = dict(visually_similar(item.pk, LOOKALIKES))
        items = Item.objects.defer("description", "attributes").in_bulk(similarity)
        url = f"{self.admin_site.name}:ecomrec_item_change"
        rows = [
            (thumbnail(items[pk], 96), reverse(url, args=[pk]), items[pk].title) for pk in similarity if pk in items
        ]
        if not rows:
            return _("None yet. Run “manage.py ecomrec_pictures”, then train and publish a release.")
        listed = format_html_join("", '<li><a href="{1}">{0}<span>{2}</span></a></li>', rows)
        return format_html('<ul class="ecomrec-lookalikes">{}</ul>', listed)

    @admin.display(description=_("suggested by its image"))
    def suggestions(self, item: Item) -> str:
        """Category and attributes that the image network predicts."""
        analysis = _image_analysis(item)
        predictions = analysis.suggestions if analysis is not None else {}
        names = {}
        if "category" in predictions:
            names = dict(Category.objects.filter(pk=predictions["category"][0]).values_list("pk", "path"))
        lines = [
            _("%(name)s: %(value)s (%(percent)s%%)")
            % {
                "name": name.removeprefix("attribute:"),
                "value": names.get(value, value) if name == "category" else value,
                "percent": round(100 * probability),
            }
            for name, (value, probability) in predictions.items()
        ]
        return "; ".join(lines) or "–"

    @admin.display(description=_("image problem"))
    def problem(self, item: Item) -> str:
        """Why the image could not be used."""
        analysis = _image_analysis(item)
        return analysis.problem if analysis is not None and analysis.problem else "–"

    @admin.display(description=_("recommendations"))
    def lists(self, item: Item) -> SafeString:
        """A link to its offer lists."""
        url = reverse(f"{self.admin_site.name}:ecomrec_offerlist_changelist")
        return format_html('<a href="{}?{}">{}</a>', url, urlencode({"q": item.external_id}), _("Show its offer lists"))


def _image_analysis(item: Item) -> ItemPicture | None:
    """The analysis of the item's image, read once per page."""
    try:
        return item.picture
    except ItemPicture.DoesNotExist:
        return None


@admin.register(Category)
class CategoryAdmin(ReadOnlyAdmin):
    """Categories of the catalog, as they were last synced."""

    list_display = ("path", "items_link")
    ordering = ("pk",)
    sortable_by = ()
    search_fields = ("name",)
    empty_hint = SYNC_HINT
    fields = ("name", "path", "parent", "aisle")

    @admin.display(description=_("items"))
    def items_link(self, category: Category) -> SafeString:
        """A link to the items of the category."""
        url = reverse(f"{self.admin_site.name}:ecomrec_item_changelist")
        return format_html('<a href="{}?category__id__exact={}">{}</a>', url, category.pk, _("Show its items"))
