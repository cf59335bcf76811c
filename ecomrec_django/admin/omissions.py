"""What was not recorded, and what waits: the other side of the events."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from ..models import HeldEvent, Omission
from .base import ReadOnlyAdmin


@admin.register(Omission)
class OmissionAdmin(ReadOnlyAdmin):
    list_display = ("day", "reason", "count")
    list_display_links = None
    list_filter = ("reason",)
    ordering = ("-day", "reason")
    sortable_by = ()
    empty_hint = _("Nothing was left out so far.")
    fields = ("day", "reason", "count")


@admin.register(HeldEvent)
class HeldEventAdmin(ReadOnlyAdmin):
    list_display = ("time", "kind", "external_id", "visitor")
    list_display_links = None
    list_select_related = ("visitor",)
    ordering = ("-pk",)
    sortable_by = ()
    search_fields = ("external_id__exact",)
    search_note = _("Shop's id of an item")
    empty_hint = _("No event waits for a product to come into the catalog.")
    fields = ("kind", "external_id", "visitor", "time", "quantity", "rating", "policy")
