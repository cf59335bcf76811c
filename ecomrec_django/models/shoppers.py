"""Learned facts about shoppers: segments, and one compact profile each."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from .events import Visitor


class Segment(models.Model):
    """A group of shoppers with similar behaviour. Its label lasts from one training to the next."""

    label = models.PositiveSmallIntegerField(_("label"), unique=True, editable=False)
    # Written from the profile at each training; the merchant's own name outlives it.
    description = models.CharField(_("description"), max_length=255, editable=False)
    name = models.CharField(_("name"), max_length=80, blank=True, help_text=_("Your own name for this segment."))
    # The group of shoppers who are in no other.
    outliers = models.BooleanField(_("outliers"), default=False, editable=False)
    # Shoppers after the last training; 0 where it was not found again.
    size = models.PositiveIntegerField(_("shoppers"), default=0, editable=False)
    # See `ecomrec_django.learning.segmentation.clustering.Cluster.profile`.
    profile = models.JSONField(_("profile"), default=dict, editable=False)
    # Means by feature, amounts as logarithms and shares as square roots, by which the next training matches it.
    centre = models.JSONField(default=dict, editable=False)
    updated = models.DateTimeField(_("last updated"), auto_now=True)

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering = ["label"]

    def __str__(self) -> str:
        return self.name or self.description


class Profile(models.Model):
    """What a page knows of a shopper besides later events: written by each training, read in one query."""

    visitor = models.OneToOneField(Visitor, models.CASCADE, primary_key=True, verbose_name=_("visitor"))
    segment = models.ForeignKey(
        Segment,
        models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
        related_name="profiles",
        verbose_name=_("segment"),
    )
    # See `ecomrec_django.learning.ranking.shopper_history.ShopperHistory.packed`.
    history = models.BinaryField()
    # It holds the events before this moment.
    until = models.DateTimeField(_("until"))

    class Meta:
        verbose_name = _("profile")
        verbose_name_plural = _("profiles")
        # A segment's newest shoppers; stands in for the foreign key's own index.
        indexes = [models.Index(fields=["segment", "visitor"], name="ecomrec_profile_segment")]

    def __str__(self) -> str:
        return str(self.visitor_id)
