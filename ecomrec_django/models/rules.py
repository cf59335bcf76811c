"""Merchandising rules: what a merchant lays down for whole kinds of offers, without code."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .catalog import Category, Item
from .shoppers import Segment


class Rule(models.Model):
    """Shows only, hides, boosts or limits the offers that match its conditions, where and while it is in force; or sets
    the discovery of blocks.

    An offer matches if it meets every condition that is set; a rule without conditions matches all.
    """

    class Action(models.TextChoices):
        ONLY = "only", _("show only these")
        HIDE = "hide", _("hide these")
        BOOST = "boost", _("boost these")
        LIMIT = "limit", _("limit these")
        DIAL = "dial", _("set discovery")

    name = models.CharField(_("name"), max_length=80)
    action = models.CharField(_("action"), max_length=5, choices=Action.choices)
    factor = models.FloatField(
        _("factor"), default=2.0, help_text=_("Boosts only: 2 doubles an offer's score, 0.5 halves it.")
    )
    max_share = models.FloatField(
        _("largest share of pages"),
        null=True,
        blank=True,
        help_text=_(
            "Limits only: the share of product pages, such as 0.05, on which one matching product may be offered. It "
            "takes effect with the next training."
        ),
    )
    discovery = models.FloatField(
        _("discovery"),
        null=True,
        blank=True,
        help_text=_("0 ranks by what is expected of an offer, 1 prefers what few others buy."),
    )
    # Scope; empty for everywhere.
    strategy = models.CharField(_("strategy"), max_length=32, blank=True)
    slot = models.CharField(_("slot"), max_length=32, blank=True)
    anchor_category = models.ForeignKey(
        Category,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("shown with products in"),
        help_text=_("Only on pages of products in this category or one of its subcategories."),
    )
    segment = models.ForeignKey(
        Segment,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("segment"),
        help_text=_("Only for shoppers in this segment; leave empty for everyone."),
    )
    # Which offers.
    item = models.ForeignKey(
        Item,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("item"),
        help_text=_("Only this product, wherever it would be offered."),
    )
    category = models.ForeignKey(
        Category,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("category"),
        help_text=_("Offers in this category or one of its subcategories."),
    )
    brand = models.CharField(_("brand"), max_length=255, blank=True)
    attribute = models.CharField(_("attribute"), max_length=64, blank=True)
    value = models.CharField(_("attribute value"), max_length=255, blank=True)
    # List prices in the base currency, which are the same for every visitor; margins are shares of them.
    lowest_price = models.DecimalField(_("price from"), max_digits=12, decimal_places=2, null=True, blank=True)
    highest_price = models.DecimalField(_("price to"), max_digits=12, decimal_places=2, null=True, blank=True)
    lowest_margin = models.FloatField(
        _("margin from"), null=True, blank=True, help_text=_("Margin as a share of the price, 0 to 1.")
    )
    highest_margin = models.FloatField(_("margin to"), null=True, blank=True)
    lowest_stock = models.PositiveIntegerField(_("stock from"), null=True, blank=True)
    highest_stock = models.PositiveIntegerField(_("stock to"), null=True, blank=True)
    new_days = models.PositiveSmallIntegerField(
        _("new within (days)"),
        null=True,
        blank=True,
        help_text=_("Products added to the catalog at most this many days ago."),
    )
    # When.
    starts = models.DateTimeField(_("from"), null=True, blank=True)
    ends = models.DateTimeField(_("until"), null=True, blank=True)
    active = models.BooleanField(_("active"), default=True)
    note = models.CharField(_("note"), max_length=255, blank=True)
    # External ids of what it matched at the last sync, to which it still applies once it matches nothing: see
    # `ecomrec_django.merchandising.rule_matches`.
    matched_items = models.JSONField(default=list, editable=False)
    matched_anchors = models.JSONField(default=list, editable=False)
    unmatched_since = models.DateTimeField(_("matches nothing since"), null=True, editable=False)
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
