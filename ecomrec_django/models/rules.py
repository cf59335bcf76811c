"""What a merchant lays down for whole kinds of offers, without code."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .catalog import Category, Item
from .shoppers import Segment


class Rule(models.Model):
    """Shows only, hides or boosts the offers that fit its conditions, where and while it is in force.

    An offer fits if it meets every condition that is set; a rule without any fits all.
    """

    class Action(models.TextChoices):
        ONLY = "only", _("show only these")
        HIDE = "hide", _("hide these")
        BOOST = "boost", _("boost these")

    name = models.CharField(_("name"), max_length=80)
    action = models.CharField(_("action"), max_length=5, choices=Action.choices)
    factor = models.FloatField(
        _("factor"), default=2.0, help_text=_("Of a boost: 2 doubles an offer's score, 0.5 halves it.")
    )
    # Where it holds; empty for everywhere.
    strategy = models.CharField(_("strategy"), max_length=32, blank=True)
    slot = models.CharField(_("slot"), max_length=32, blank=True)
    beside = models.ForeignKey(
        Category,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("beside products of"),
        help_text=_("Only where the page's product is of this category or one below it."),
    )
    segment = models.ForeignKey(
        Segment,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("segment"),
        help_text=_("Only for shoppers of this segment; for everybody if left empty."),
    )
    # Which offers.
    item = models.ForeignKey(
        Item,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("item"),
        help_text=_("This one item, wherever it would be offered."),
    )
    category = models.ForeignKey(
        Category,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("category"),
        help_text=_("Offers of this category, or of one below it."),
    )
    brand = models.CharField(_("brand"), max_length=255, blank=True)
    attribute = models.CharField(_("attribute"), max_length=64, blank=True)
    value = models.CharField(_("value of the attribute"), max_length=255, blank=True)
    lowest_price = models.DecimalField(_("price from"), max_digits=12, decimal_places=2, null=True, blank=True)
    highest_price = models.DecimalField(_("price to"), max_digits=12, decimal_places=2, null=True, blank=True)
    lowest_margin = models.FloatField(
        _("margin from"), null=True, blank=True, help_text=_("Share of the price that is left, 0 to 1.")
    )
    highest_margin = models.FloatField(_("margin to"), null=True, blank=True)
    lowest_stock = models.PositiveIntegerField(_("stock from"), null=True, blank=True)
    highest_stock = models.PositiveIntegerField(_("stock to"), null=True, blank=True)
    new_days = models.PositiveSmallIntegerField(
        _("new within days"),
        null=True,
        blank=True,
        help_text=_("Products that came into the catalog at most so many days ago."),
    )
    # When.
    starts = models.DateTimeField(_("from"), null=True, blank=True)
    ends = models.DateTimeField(_("until"), null=True, blank=True)
    active = models.BooleanField(_("active"), default=True)
    note = models.CharField(_("note"), max_length=255, blank=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("created by"),
    )

    class Meta:
        verbose_name = _("rule")
        verbose_name_plural = _("rules")
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name
