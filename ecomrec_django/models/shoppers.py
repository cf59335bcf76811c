"""What was learned of shoppers: groups of them, and one compact row each."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from .behaviour import Visitor


class Segment(models.Model):
    """A group of shoppers who behave alike. Its label lasts from one training to the next."""

    label = models.PositiveSmallIntegerField(_("label"), unique=True, editable=False)
    # Made from the profile at each training; the merchant's own name outlives it.
    described = models.CharField(_("description"), max_length=255, editable=False)
    name = models.CharField(_("name"), max_length=80, blank=True, help_text=_("Your own name for this segment."))
    # Those who are like nobody else.
    outliers = models.BooleanField(_("outliers"), default=False, editable=False)
    # Shoppers in it after the last training; 0 where it was not found again.
    size = models.PositiveIntegerField(_("shoppers"), default=0, editable=False)
    # See `ecomrec_django.learning.segments.Found.profile`.
    profile = models.JSONField(_("profile"), default=dict, editable=False)
    # Means by feature, amounts by their logarithm and shares by their root: what the next training knows it again by.
    centre = models.JSONField(default=dict, editable=False)
    updated = models.DateTimeField(_("last found"), auto_now=True)

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering = ["label"]

    def __str__(self) -> str:
        return self.name or self.described


class Profile(models.Model):
    """What a page knows of one shopper beside the events since: written by each training, read in one query."""

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
    # See `ecomrec_django.learning.past.Past.packed`.
    past = models.BinaryField()
    # Events of this moment and later are not in it.
    until = models.DateTimeField(_("until"))

    class Meta:
        verbose_name = _("profile")
        verbose_name_plural = _("profiles")
        # A segment's newest shoppers; stands in for the foreign key's own index.
        indexes = [models.Index(fields=["segment", "visitor"], name="ecomrec_profile_segment")]

    def __str__(self) -> str:
        return str(self.visitor_id)
