"""What all our admin classes share: pages that stay fast on a million rows, and the look."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

# Forty pages; past a few thousand rows, databases stop following an index to an OFFSET and sort the whole table.
COUNTED = 2_000


class CappedPaginator(Paginator):
    """Counts at most ``COUNTED`` rows: the rest of a big table is reached by search and filters, not by page 20,000."""

    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[:COUNTED].count()

    @property
    def capped(self) -> bool:
        return self.count >= COUNTED


class EcomrecAdmin(admin.ModelAdmin):
    """No count over a whole table, no facets, one query for a page of rows."""

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 200
    # What an empty list says to do next.
    empty_hint: Any = ""
    # What the search looks into. (Not `search_help_text`: with it the stock search field has no accessible name.)
    search_note: Any = ""

    class Media:
        css = {"all": ["ecomrec/admin/ecomrec.css"]}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        notes = {"empty_hint": self.empty_hint, "search_note": self.search_note}
        return super().changelist_view(request, {**notes, **(extra_context or {})})

    def page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
        """A page of our own, with what the admin's pages all have; ``original`` in the context is the row it is of."""
        request.current_app = self.admin_site.name
        common = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media}
        return TemplateResponse(request, template, {**common, **context})


class ReadOnlyAdmin(EcomrecAdmin):
    """A page for looking only: its rows are made by the shop's data or by training."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


STRATEGY_LABELS = {
    "bought_with": _("Bought with"),
    "upgrade_to": _("Upgrade to"),
    "for_you": _("For you"),
}


def strategy_label(name: str) -> str:
    """A strategy's name for people; a project's own strategy shows its name."""
    return str(STRATEGY_LABELS.get(name, name.replace("_", " ").capitalize()))
