"""The merchant's pins and blocks, which outlive releases."""

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
from .base import EcomrecAdmin, strategy_label
from .filters import AnyStrategyFilter
from .pictures import picture
from .search import found_ids


class OverrideForm(forms.ModelForm):
    """A pair of two different items, and a place from 1 on."""

    strategy = forms.ChoiceField(label=_("Strategy"))
    position = forms.IntegerField(
        label=_("Position"), min_value=1, max_value=32_767, initial=1, help_text=_("Place among the pins, 1 first.")
    )

    class Meta:
        model = Override
        fields = ("strategy", "anchor", "offer", "action", "segment", "position", "note")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields.get("strategy")
        # Absent on a page that may only be looked at.
        if isinstance(field, forms.ChoiceField):
            names = [*conf.STRATEGIES]
            if self.instance.strategy and self.instance.strategy not in names:
                names.append(self.instance.strategy)
            field.choices = [(name, strategy_label(name)) for name in names]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("anchor") and cleaned.get("anchor") == cleaned.get("offer"):
            self.add_error("offer", _("An item cannot be offered beside itself: choose another one."))
        return cleaned


@admin.register(Override)
class OverrideAdmin(EcomrecAdmin):
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
    search_note = _("Shop's id or title of either item")
    fields = ("strategy", "anchor", "offer", "action", "segment", "position", "note", "created_by", "created")
    readonly_fields = ("created_by", "created")
    empty_hint = _("Nothing is pinned or blocked: open an offer list, and pin or block there.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Override]:
        unread = ("anchor__description", "offer__description", "segment__profile", "segment__centre")
        return super().get_queryset(request).defer(*unread)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Override], search_term: str
    ) -> tuple[QuerySet[Override], bool]:
        if not search_term.strip():
            return queryset, False
        found = found_ids(search_term)
        return queryset.filter(Q(anchor__in=found) | Q(offer__in=found)), False

    def save_model(self, request: HttpRequest, obj: Override, form: Any, change: bool) -> None:
        if not change:
            obj.created_by_id = request.user.pk
        super().save_model(request, obj, form, change)

    @admin.display(description=_("strategy"))
    def strategy_name(self, override: Override) -> str:
        return strategy_label(override.strategy)

    @admin.display(description="")
    def anchor_picture(self, override: Override) -> SafeString:
        return picture(override.anchor)

    @admin.display(description="")
    def offer_picture(self, override: Override) -> SafeString:
        return picture(override.offer)
