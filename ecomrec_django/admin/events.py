"""The latest events, impressions and visitors, all pseudonymous."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Max, Prefetch, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ..models import Event, Impression, Item, Segment, Visitor
from .base import QuantityMixin, ReadOnlyAdmin
from .components.filters import AnyStrategyFilter, SegmentFilter

RECENT = 100_000


class RecentChangeList(ChangeList):
    """Lists, filters and searches only the newest RECENT rows."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """Rows among the newest RECENT."""
        newest = self.model._default_manager.aggregate(newest=Max("pk"))["newest"] or 0
        return super().get_queryset(request, exclude_parameters).filter(pk__gt=newest - RECENT)


def _titles(name: str) -> Prefetch:
    """Prefetch of the titles of items."""
    return Prefetch(name, Item.objects.only("external_id", "title"))


@admin.register(Event)
class EventAdmin(QuantityMixin, ReadOnlyAdmin):
    """The latest events."""

    list_display = ("time", "kind", "item", "pieces", "price", "basket", "visitor")
    list_filter = ("kind",)
    # With a join, MariaDB might start with the items and read all of their events.
    list_select_related = ()
    ordering = ("-pk",)
    sortable_by = ()
    search_fields = ("item__external_id", "visitor__key", "basket")
    search_note = _("Product ID, visitor key or order number, within the latest 100,000 events")
    empty_hint = _("No events recorded yet. Open a product page in the shop, or run “manage.py ecomrec_import”.")
    readonly_fields = ("pieces",)
    fields = ("kind", "visitor", "item", "time", "pieces", "price", "rating", "basket", "session", "policy")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        """Events; items and visitors follow in one query each."""
        return super().get_queryset(request).prefetch_related(_titles("item"), "visitor")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        """By product ID, visitor key or order number."""
        text = search_term.strip()
        if not text:
            return queryset, False
        # Looked up first: an OR across three tables would join all events of the window.
        items = list(Item.objects.filter(external_id=text).values_list("pk", flat=True))
        visitors = list(Visitor.objects.filter(key=text).values_list("pk", flat=True))
        return queryset.filter(Q(item__in=items) | Q(visitor__in=visitors) | Q(basket=text)), False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The change list of this page."""
        return RecentChangeList


@admin.register(Impression)
class ImpressionAdmin(ReadOnlyAdmin):
    """The latest impressions of offers."""

    list_display = ("time", "strategy", "release", "anchor", "item", "position", "clicked", "visitor")
    list_filter = (AnyStrategyFilter,)
    list_select_related = ()
    ordering = ("-pk",)
    sortable_by = ()
    search_fields = ("item__external_id__exact",)
    search_note = _("Product ID of an offer, within the latest 100,000 impressions")
    empty_hint = _("No impressions yet. Do your pages load {% ecomrec_scripts %}?")
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
        """Impressions; items and visitors follow in one query each."""
        return super().get_queryset(request).prefetch_related(_titles("item"), _titles("anchor"), "visitor")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The change list of this page."""
        return RecentChangeList


@admin.register(Visitor)
class VisitorAdmin(ReadOnlyAdmin):
    """Visitors by their pseudonymous keys."""

    list_display = ("__str__", "segment", "created", "merged_into", "excluded_until")
    list_filter = (SegmentFilter,)
    ordering = ("-pk",)
    sortable_by = ()
    search_fields = ("key__exact",)
    search_note = _("The complete key")
    empty_hint = _("No visitors recorded yet.")
    fields = ("key", "segment", "created", "merged_into", "excluded_until")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Visitor]:
        """Visitors with their segments, without histories and profiles."""
        return (
            super()
            .get_queryset(request)
            .select_related("merged_into", "profile__segment")
            .defer("profile__history", "profile__segment__profile", "profile__segment__centre")
        )

    @admin.display(description=_("segment"))
    def segment(self, visitor: Visitor) -> Segment | None:
        """The segment of the visitor's profile."""
        profile = getattr(visitor, "profile", None)
        return profile.segment if profile else None
