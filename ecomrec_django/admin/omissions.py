"""Ignored events, and events that wait for their product."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from ..models import HeldEvent, Omission
from .base import QuantityMixin, ReadOnlyAdmin


@admin.register(Omission)
class OmissionAdmin(ReadOnlyAdmin):
    """Ignored events by day and reason."""

    list_display = ("day", "reason", "count")
    list_display_links = None
    list_filter = ("reason",)
    ordering = ("-day", "reason")
    sortable_by = ()
    empty_hint = _("No events have been ignored so far.")
    fields = ("day", "reason", "count")


@admin.register(HeldEvent)
class HeldEventAdmin(QuantityMixin, ReadOnlyAdmin):
    """Events that wait until their product is in the catalog."""

    list_display = ("time", "kind", "external_id", "visitor")
    list_display_links = None
    list_select_related = ("visitor",)
    ordering = ("-pk",)
    sortable_by = ()
    search_fields = ("external_id__exact",)
    search_note = _("Product ID")
    empty_hint = _("No events are waiting for a product.")
    readonly_fields = ("pieces",)
    fields = ("kind", "external_id", "visitor", "time", "pieces", "rating", "policy")
