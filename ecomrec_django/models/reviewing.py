"""What the staff decided about offers: who, when and why, and how it was before."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .catalog import Category, Item


class Decision(models.Model):
    """One thing that somebody decided; it can be undone while nothing later decides the same."""

    class Action(models.TextChoices):
        APPROVE = "approve", _("approved")
        PIN = "pin", _("pinned")
        BLOCK = "block", _("blocked")
        FOLLOW = "follow", _("left to what is learned")
        ORDER = "order", _("ordered")
        HIDE_ITEM = "hide_item", _("hidden everywhere")
        HIDE_PAIR = "hide_pair", _("hidden beside a category")

    action = models.CharField(_("what was done"), max_length=9, choices=Action.choices)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("by"),
    )
    time = models.DateTimeField(_("when"), auto_now_add=True)
    note = models.CharField(_("why"), max_length=255, blank=True)
    # The list it is about; empty for a decision about the whole shop. With neither anchor nor category: for everybody.
    strategy = models.CharField(_("strategy"), max_length=32, blank=True)
    anchor = models.ForeignKey(Item, models.CASCADE, null=True, related_name="decisions", verbose_name=_("beside"))
    category = models.ForeignKey(Category, models.CASCADE, null=True, related_name="+", verbose_name=_("category"))
    # The one item it is about; null where it is about several.
    offer = models.ForeignKey(Item, models.CASCADE, null=True, related_name="+", verbose_name=_("offer"))
    # External ids of the offers it is about.
    items = models.JSONField(default=list, editable=False)
    # What an undo puts back: see `ecomrec_django.pipeline.decisions`.
    before = models.JSONField(default=dict, editable=False)
    undone = models.DateTimeField(_("undone"), null=True, editable=False)
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
