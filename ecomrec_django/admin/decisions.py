"""What the staff decided about offers, and the undoing of it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ..errors import DataError
from ..models import Decision, OfferList
from ..pipeline import decisions
from .base import ReadOnlyAdmin, strategy_label
from .reviewing import may_review

# Decisions about one list shown on its page.
LATEST = 6


def decided_of(offer_list: OfferList) -> list[Decision]:
    """The latest decisions about a list, newest first, in one query."""
    found = Decision.objects.filter(
        strategy=offer_list.strategy, anchor=offer_list.anchor_id, category=offer_list.category_id
    ).exclude(action=Decision.Action.HIDE_PAIR)
    return list(_read(found).order_by("-pk")[:LATEST])


def _read(found: QuerySet[Decision]) -> QuerySet[Decision]:
    found = found.select_related("user", "undone_by", "anchor", "offer", "category")
    return found.defer("anchor__description", "offer__description")


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    list_display = ("time", "action", "beside", "offer", "strategy_name", "user", "note", "undone", "undone_by")
    list_display_links = ("time",)
    list_filter = ("action",)
    ordering = ("-pk",)
    sortable_by = ()
    empty_hint = _("Nothing was decided yet: open the lists to review.")
    fields = ("action", "strategy", "anchor", "category", "offer", "user", "time", "note", "undone", "undone_by")
    actions = ("undo",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Decision]:
        return _read(super().get_queryset(request))

    def has_review_permission(self, request: HttpRequest) -> bool:
        return may_review(request.user)

    @admin.action(description=_("Undo the selected decisions"), permissions=["review"])
    def undo(self, request: HttpRequest, queryset: QuerySet[Decision]) -> None:
        undone = 0
        # The latest first, so that earlier ones about the same list may follow.
        for decision in queryset.order_by("-pk"):
            try:
                decisions.undo(request.user, decision)
                undone += 1
            except DataError as error:
                messages.error(request, f"{decision}: {error}")
        if undone:
            messages.success(request, _("Undone: %(count)s.") % {"count": undone})

    @admin.display(description=_("beside"))
    def beside(self, decision: Any) -> str:
        if decision.action == Decision.Action.HIDE_PAIR:
            return f"{decision.before.get('beside', '')} ↛ {decision.category}"
        return str(decision.anchor or decision.category or "–")

    @admin.display(description=_("strategy"))
    def strategy_name(self, decision: Decision) -> str:
        return strategy_label(decision.strategy) if decision.strategy else "–"
