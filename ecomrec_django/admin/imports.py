"""Where the next import of orders or reviews starts, how the last one ended, and the order lines that it refused."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ..db import to_db_time
from ..models import Checkpoint, WaitingLine
from ..tracking.importers.base import checkpoint_start
from ..tracking.importers.reviews import CHECKPOINT as REVIEWS
from ..tracking.importers.stored_lines import CHECKPOINT as ORDERS
from .base import EcomrecAdmin
from .training_runs import figure_table


class _ImportAdmin(EcomrecAdmin):
    """Rows that imports write: those who may change them ask for another import, and nothing else."""

    sortable_by = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """All of them."""
        return tuple(self.fields or ())  # type: ignore[arg-type]


@admin.register(Checkpoint)
class CheckpointAdmin(_ImportAdmin):
    """The imports of orders and reviews."""

    list_display = ("name", "updated", "start", "result")
    ordering = ("name",)
    actions = ("start_again",)
    fields = ("name", "updated", "start", "figures")
    empty_hint = _("Nothing has been imported yet. Run “manage.py ecomrec_import_orders”.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Checkpoint]:
        """The imports that read from a time on; other jobs would lose or count twice what they forget."""
        return super().get_queryset(request).filter(name__in=(ORDERS, REVIEWS))

    @admin.display(description=_("next import reads changes since"))
    def start(self, checkpoint: Checkpoint) -> Any:
        """The time from which the next import reads."""
        return checkpoint_start(checkpoint.name) or _("the beginning")

    @admin.display(description=_("last result"))
    def result(self, checkpoint: Checkpoint) -> str:
        """The error, or the number of lines."""
        outcome = checkpoint.outcome
        if "error" in outcome:
            return str(outcome["error"])
        return _("%(lines)s lines read, %(skipped)s refused") % outcome if "lines" in outcome else ""

    @admin.display(description=_("last result"))
    def figures(self, checkpoint: Checkpoint) -> SafeString:
        """Everything that the last import counted."""
        outcome = checkpoint.outcome
        figures = {name: value for name, value in outcome.items() if isinstance(value, int | str) and name != "time"}
        ended = parse_datetime(outcome["time"]) if "time" in outcome else None
        return figure_table({**({"time": ended} if ended else {}), **figures})

    @admin.action(permissions=["change"], description=_("Read everything again with the next import"))
    def start_again(self, request: HttpRequest, queryset: QuerySet[Checkpoint]) -> None:
        """Reset the positions."""
        count = queryset.update(position={}, updated=timezone.now())
        note = ngettext(
            "The next run of %(count)s import reads everything again.",
            "The next runs of %(count)s imports read everything again.",
            count,
        )
        self.message_user(request, note % {"count": count}, messages.SUCCESS)


@admin.register(WaitingLine)
class WaitingLineAdmin(_ImportAdmin):
    """Order lines that an import refused."""

    list_display = ("line", "order", "reason", "tried", "due", "given_up")
    list_filter = ("given_up",)
    ordering = ("-pk",)
    actions = ("ask_again",)
    search_fields = ("line__exact", "order__exact")
    search_note = _("ID of an order line, or order number")
    empty_hint = _("No order line is waiting: all that the shop gave was imported.")
    fields = ("line", "order", "reason", "since", "tries", "tried", "due", "given_up")

    @admin.action(permissions=["change"], description=_("Ask for these lines again with the next import"))
    def ask_again(self, request: HttpRequest, queryset: QuerySet[WaitingLine]) -> None:
        """Make the lines due."""
        count = queryset.update(given_up=False, tries=1, due=to_db_time(timezone.now()))
        note = ngettext(
            "The next import asks for %(count)s line again.", "The next import asks for %(count)s lines again.", count
        )
        self.message_user(request, note % {"count": count}, messages.SUCCESS)
