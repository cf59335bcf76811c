"""What was shown, and what came of it."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from .behaviour import Visitor
from .catalog import Item
from .fields import ExactCharField


class Impression(models.Model):
    """One offer that one visitor had before their eyes in one block, and when they clicked it."""

    visitor = models.ForeignKey(
        Visitor,
        models.CASCADE,
        # The index on (visitor, time) serves.
        db_index=False,
        related_name="impressions",
        verbose_name=_("visitor"),
    )
    item = models.ForeignKey(Item, models.CASCADE, related_name="impressions", verbose_name=_("offer"))
    # Null beside a cart or several products.
    anchor = models.ForeignKey(
        Item, models.CASCADE, null=True, blank=True, related_name="+", db_index=False, verbose_name=_("anchor")
    )
    strategy = models.CharField(_("strategy"), max_length=32)
    # Number of the Release; no foreign key, since what was shown outlives the lists.
    release = models.PositiveBigIntegerField(_("release"), null=True, blank=True)
    arm = models.CharField(_("arm"), max_length=32, blank=True)
    # Place in the block, 1 first.
    position = models.PositiveSmallIntegerField(_("position"))
    time = models.DateTimeField(_("time"), db_index=True)
    clicked = models.DateTimeField(_("clicked"), null=True, blank=True)
    policy = models.CharField(_("policy version"), max_length=16, blank=True)
    # Digest of block, visitor and item: the same impression reported again is refused by the database.
    key = ExactCharField(max_length=64, unique=True, editable=False)

    class Meta:
        verbose_name = _("impression")
        verbose_name_plural = _("impressions")
        indexes = [models.Index(fields=["visitor", "time"], name="ecomrec_impression_visitor")]

    def __str__(self) -> str:
        return f"{self.strategy} {self.item_id}"
