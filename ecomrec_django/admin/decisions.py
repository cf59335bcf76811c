"""The log of decisions about offers, and how to undo them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ..errors import DataError
from ..merchandising import decisions
from ..models import Decision, OfferList
from .base import ReadOnlyAdmin, strategy_label
from .review_actions import may_review

# Number of decisions shown on a list's page.
LATEST = 6


def latest_decisions(offer_list: OfferList) -> list[Decision]:
    """The latest decisions about a list, newest first, in one query."""
    queryset = Decision.objects.filter(
        strategy=offer_list.strategy, anchor=offer_list.anchor_id, category=offer_list.category_id
    ).exclude(action=Decision.Action.HIDE_PAIR)
    return list(_with_related(queryset).order_by("-pk")[:LATEST])


def _with_related(queryset: QuerySet[Decision]) -> QuerySet[Decision]:
    queryset = queryset.select_related("user", "undone_by", "anchor", "offer", "category")
    return queryset.defer("anchor__description", "offer__description")


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    """The log of decisions, which can be undone from the latest on."""

    list_display = ("time", "action", "shown_with", "offer", "strategy_name", "user", "note", "undone_at", "undone_by")
    list_display_links = ("time",)
    list_filter = ("action",)
    ordering = ("-pk",)
    sortable_by = ()
    empty_hint = _("No decisions yet. Open the review queue to start.")
    fields = ("action", "strategy", "anchor", "category", "offer", "user", "time", "note", "undone_at", "undone_by")
    actions = ("undo",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Decision]:
        """Decisions with their related rows, in one query."""
        return _with_related(super().get_queryset(request))

    def has_review_permission(self, request: HttpRequest) -> bool:
        """Who may undo."""
        return may_review(request.user)

    @admin.action(description=_("Undo the selected decisions"), permissions=["review"])
    def undo(self, request: HttpRequest, queryset: QuerySet[Decision]) -> None:
        """Undo the selected decisions, the latest first."""
        undone = 0
        # The latest first, since a decision can only be undone before earlier ones about the same list.
        for decision in queryset.order_by("-pk"):
            try:
                decisions.undo(request.user, decision)
                undone += 1
            except DataError as error:
                messages.error(request, f"{decision}: {error}")
        if undone:
            messages.success(request, _("Undone: %(count)s.") % {"count": undone})

    @admin.display(description=_("shown with"))
    def shown_with(self, decision: Any) -> str:
        """The owner of the list: an item, a category, or a pair of categories."""
        if decision.action == Decision.Action.HIDE_PAIR:
            return f"{decision.previous_state.get('anchor_category', '')} ↛ {decision.category}"
        return str(decision.anchor or decision.category or "–")

    @admin.display(description=_("strategy"))
    def strategy_name(self, decision: Decision) -> str:
        """The label of the strategy."""
        return strategy_label(decision.strategy) if decision.strategy else "–"
