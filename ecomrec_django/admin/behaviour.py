"""What shoppers did: the latest events, to see that they arrive. Nothing here names a person."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Max, Prefetch, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ..models import Event, Impression, Item, Segment, Visitor
from .base import ReadOnlyAdmin
from .filters import AnyStrategyFilter, SegmentFilter

RECENT = 100_000


class RecentChangeList(ChangeList):
    """Lists, filters and searches the newest ``RECENT`` rows alone, whatever the table holds."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        newest = self.model._default_manager.aggregate(newest=Max("pk"))["newest"] or 0
        return super().get_queryset(request, exclude_parameters).filter(pk__gt=newest - RECENT)


def _titles(name: str) -> Prefetch:
    """The items of one page of rows, by what they are called."""
    return Prefetch(name, Item.objects.only("external_id", "title"))


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("time", "kind", "item", "quantity", "price", "basket", "visitor")
    list_filter = ("kind",)
    # Joined, MariaDB may begin with the items, and read all of their events.
    list_select_related = ()
    ordering = ("-pk",)
    sortable_by = ()
    search_fields = ("item__external_id", "visitor__key", "basket")
    search_note = _("Shop's id of an item, key of a visitor or number of an order, among the latest 100,000 events")
    empty_hint = _("Nothing has been recorded yet: visit a product page, or run “manage.py ecomrec_import”.")
    fields = ("kind", "visitor", "item", "time", "quantity", "price", "rating", "basket", "session", "policy")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        return super().get_queryset(request).prefetch_related(_titles("item"), "visitor")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        text = search_term.strip()
        if not text:
            return queryset, False
        # Looked up first: an "or" across three tables would join every event of the window.
        items = list(Item.objects.filter(external_id=text).values_list("pk", flat=True))
        visitors = list(Visitor.objects.filter(key=text).values_list("pk", flat=True))
        return queryset.filter(Q(item__in=items) | Q(visitor__in=visitors) | Q(basket=text)), False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RecentChangeList


@admin.register(Impression)
class ImpressionAdmin(ReadOnlyAdmin):
    list_display = ("time", "strategy", "release", "anchor", "item", "position", "clicked", "visitor")
    list_filter = (AnyStrategyFilter,)
    list_select_related = ()
    ordering = ("-pk",)
    sortable_by = ()
    search_fields = ("item__external_id__exact",)
    search_note = _("Shop's id of an offer, among the latest 100,000 impressions")
    empty_hint = _("Nothing has been seen yet: does the page load {% ecomrec_scripts %}?")
    fields = (
        "strategy",
        "release",
        "arm",
        "anchor",
        "item",
        "position",
        "time",
        "clicked",
        "visitor",
        "policy",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Impression]:
        return super().get_queryset(request).prefetch_related(_titles("item"), _titles("anchor"), "visitor")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RecentChangeList


@admin.register(Visitor)
class VisitorAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "segment", "created", "merged_into", "excluded_until")
    list_filter = (SegmentFilter,)
    ordering = ("-pk",)
    sortable_by = ()
    search_fields = ("key__exact",)
    search_note = _("The whole key")
    empty_hint = _("Nobody has been recorded yet.")
    fields = ("key", "segment", "created", "merged_into", "excluded_until")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Visitor]:
        return (
            super()
            .get_queryset(request)
            .select_related("merged_into", "profile__segment")
            .defer("profile__past", "profile__segment__profile", "profile__segment__centre")
        )

    @admin.display(description=_("segment"))
    def segment(self, visitor: Visitor) -> Segment | None:
        profile = getattr(visitor, "profile", None)
        return profile.segment if profile else None
