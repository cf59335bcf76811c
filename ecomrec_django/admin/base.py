"""Base classes of all admin pages, which stay fast with millions of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.translation import gettext, gettext_lazy

from ..conf import conf

# Forty pages; beyond a few thousand rows, databases sort the whole table instead of following an index to an OFFSET.
MAX_ROWS = 2_000


class CappedPaginator(Paginator):
    """Counts at most MAX_ROWS rows; the others are reached by search and filters."""

    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        """Number of rows, at most MAX_ROWS."""
        return self.object_list.order_by()[:MAX_ROWS].count()

    @property
    def capped(self) -> bool:
        """Whether there may be more rows than were counted."""
        return self.count >= MAX_ROWS


class EcomrecAdmin(admin.ModelAdmin):
    """Pages without counts of whole tables and without facets, with one query per page of rows."""

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 200
    # Shown on an empty list: what to do next.
    empty_hint: Any = ""
    # The fields that are searched. (`search_help_text` would remove the accessible name of the stock search field.)
    search_note: Any = ""

    class Media:
        css = {"all": ["ecomrec/admin/ecomrec.css"]}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The stock page with the hint of an empty list and the note on the search."""
        notes = {"empty_hint": self.empty_hint, "search_note": self.search_note}
        return super().changelist_view(request, {**notes, **(extra_context or {})})

    def page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
        """An additional page with the context of admin pages; ``original`` in the context is the row that it shows."""
        request.current_app = self.admin_site.name
        common = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media}
        return TemplateResponse(request, template, {**common, **context})


class CreatorAdmin(EcomrecAdmin):
    """Rows that store when and by whom they were created."""

    readonly_fields = ("created_by", "created")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001  as Django calls it
        """Store who created a new row."""
        if not change:
            obj.created_by_id = request.user.pk
        super().save_model(request, obj, form, change)


class ReadOnlyAdmin(EcomrecAdmin):
    """A read-only page, whose rows come from the shop's data or from training."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False


class QuantityMixin:
    """The quantity of a row as people write it; the admin would show all decimal places."""

    @admin.display(description=gettext_lazy("quantity"))
    def pieces(self, row: Any) -> str:
        """Such as "2" or "0.35"."""
        return number_format(row.quantity)


def named_choices(names: Iterable[str], current: str, label: Callable[[str], str]) -> list[tuple[str, str]]:
    """Choices of ``names`` from the settings, and of a row's ``current`` name, which may no longer be among them."""
    return [(name, label(name)) for name in dict.fromkeys([*names, *([current] if current else [])])]


def strategy_label(name: str) -> str:
    """The label of a strategy; a project's own strategy without a label shows its name in words."""
    strategy = conf.STRATEGIES.get(name)
    if strategy is not None and strategy.label:
        return gettext(strategy.label)
    return name.replace("_", " ").capitalize()
