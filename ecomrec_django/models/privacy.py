"""Proof that somebody was forgotten."""

from uuid import uuid4

from django.db import models
from django.utils.translation import gettext_lazy as _


class Erasure(models.Model):
    """The receipt of one erasure. Its key keeps the shop's order records from bringing the history back."""

    receipt = models.UUIDField(_("receipt"), default=uuid4, unique=True, editable=False)
    # Visitor.key of who was forgotten. Further keys of theirs (cookies that had joined, orders placed as a guest) have
    # rows of their own, which bar the way back and have nothing in ``removed``.
    key = models.CharField(max_length=64, db_index=True, editable=False)
    time = models.DateTimeField(_("asked for"))
    # Rows removed, by where they were: {"events": 12, "history": 9}.
    removed = models.JSONField(_("removed"), default=dict)
    # Visitor.pk of the rows that history files still hold; empty once they are gone.
    pending = models.JSONField(default=list, editable=False)
    completed = models.DateTimeField(_("completed"), null=True, blank=True)

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        ordering = ["-id"]

    def __str__(self) -> str:
        return str(self.receipt)
