"""Decisions of the staff about offers: who, when and why, and the state before."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .catalog import Category, Item


class Decision(models.Model):
    """One decision; it can be undone until a later one about the same list."""

    class Action(models.TextChoices):
        APPROVE = "approve", _("approved")
        PIN = "pin", _("pinned")
        BLOCK = "block", _("blocked")
        FOLLOW = "follow", _("reset to automatic")
        ORDER = "order", _("reordered")
        HIDE_ITEM = "hide_item", _("hidden everywhere")
        HIDE_PAIR = "hide_pair", _("hidden for a category")
        LIMIT = "limit", _("limited to a share of pages")

    action = models.CharField(_("action"), max_length=9, choices=Action.choices)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("user"),
    )
    time = models.DateTimeField(_("time"), auto_now_add=True)
    note = models.CharField(_("note"), max_length=255, blank=True)
    # The offer list it is about; empty for a decision about the whole shop. Without anchor and category: the general
    # list of the strategy.
    strategy = models.CharField(_("strategy"), max_length=32, blank=True)
    anchor = models.ForeignKey(Item, models.CASCADE, null=True, related_name="decisions", verbose_name=_("anchor"))
    category = models.ForeignKey(Category, models.CASCADE, null=True, related_name="+", verbose_name=_("category"))
    # Null where it is about several offers.
    offer = models.ForeignKey(Item, models.CASCADE, null=True, related_name="+", verbose_name=_("offer"))
    # External ids of the offers it is about.
    items = models.JSONField(default=list, editable=False)
    # What an undo restores: see `ecomrec_django.merchandising.decisions`.
    previous_state = models.JSONField(default=dict, editable=False)
    undone_at = models.DateTimeField(_("undone"), null=True, editable=False)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("undone by"),
    )

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        ordering = ["-id"]
        indexes = [models.Index(fields=["strategy", "action"], name="ecomrec_decision_strategy")]

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.offer or ''}".strip()
