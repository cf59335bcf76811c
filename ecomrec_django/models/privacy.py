"""Receipts of erasures."""

from uuid import uuid4

from django.db import models
from django.utils.translation import gettext_lazy as _


class Erasure(models.Model):
    """The receipt of one erasure. Its key keeps the shop's order records from bringing the history back."""

    receipt = models.UUIDField(_("receipt"), default=uuid4, unique=True, editable=False)
    # Visitor.key of the erased visitor. Further keys of theirs (merged cookies, guest orders) have rows of their own,
    # which bar a later import of the history and have nothing in ``removed_rows``.
    key = models.CharField(max_length=64, db_index=True, editable=False)
    time = models.DateTimeField(_("requested"))
    # Removed rows by place: {"events": 12, "history": 9}.
    removed_rows = models.JSONField(_("rows removed"), default=dict)
    # Visitor.pks whose rows the history files still hold; empty once they are removed.
    pending_visitors = models.JSONField(default=list, editable=False)
    completed = models.DateTimeField(_("completed"), null=True, blank=True)

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        ordering = ["-id"]

    def __str__(self) -> str:
        return str(self.receipt)
