"""Pins and blocks, which outlive releases."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..conf import conf
from ..models import Override
from .base import CreatorAdmin, named_choices, strategy_label
from .components.filters import AnyStrategyFilter
from .components.search import matching_ids
from .components.thumbnails import thumbnail


class OverrideForm(forms.ModelForm):
    """A pin or block of a pair of different items."""

    strategy = forms.ChoiceField(label=_("Strategy"))
    position = forms.IntegerField(
        label=_("Position"),
        min_value=1,
        max_value=32_767,
        initial=1,
        help_text=_("Position among the pinned offers, starting at 1."),
    )

    class Meta:
        model = Override
        fields = ("strategy", "anchor", "offer", "action", "segment", "position", "note")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields.get("strategy")
        # Absent on read-only pages.
        if isinstance(field, forms.ChoiceField):
            field.choices = named_choices(conf.STRATEGIES, self.instance.strategy, strategy_label)

    def clean(self) -> dict[str, Any]:
        """Reject an item as its own offer."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("anchor") and cleaned.get("anchor") == cleaned.get("offer"):
            self.add_error("offer", _("An item cannot be recommended with itself. Choose another one."))
        return cleaned


@admin.register(Override)
class OverrideAdmin(CreatorAdmin):
    """Pins and blocks of all lists in one place."""

    form = OverrideForm
    list_display = (
        "action",
        "strategy_name",
        "anchor_picture",
        "anchor",
        "offer_picture",
        "offer",
        "segment",
        "position",
        "note",
        "created_by",
        "created",
    )
    list_display_links = ("action", "anchor")
    list_filter = ("action", AnyStrategyFilter, "segment")
    list_select_related = ("anchor", "offer", "segment", "created_by")
    ordering = ("-pk",)
    sortable_by = ()
    autocomplete_fields = ("anchor", "offer")
    search_fields = ("anchor__title", "offer__title")
    search_note = _("Product ID or title of either item")
    fields = ("strategy", "anchor", "offer", "action", "segment", "position", "note", "created_by", "created")
    empty_hint = _("Nothing is pinned or blocked. Open an offer list to pin or block its offers.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Override]:
        """Overrides without long texts of related rows."""
        unread = ("anchor__description", "offer__description", "segment__profile", "segment__centre")
        return super().get_queryset(request).defer(*unread)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Override], search_term: str
    ) -> tuple[QuerySet[Override], bool]:
        """Overrides with a matching anchor or offer."""
        if not search_term.strip():
            return queryset, False
        items = matching_ids(search_term)
        return queryset.filter(Q(anchor__in=items) | Q(offer__in=items)), False

    @admin.display(description=_("strategy"))
    def strategy_name(self, override: Override) -> str:
        """The strategy, as staff know it."""
        return strategy_label(override.strategy)

    @admin.display(description="")
    def anchor_picture(self, override: Override) -> SafeString:
        """The anchor's image."""
        return thumbnail(override.anchor)

    @admin.display(description="")
    def offer_picture(self, override: Override) -> SafeString:
        """The offer's image."""
        return thumbnail(override.offer)
