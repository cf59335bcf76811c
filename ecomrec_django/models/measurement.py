"""Measurement: impressions of offers, the conversions they are credited with, and daily totals."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from .catalog import Item
from .events import Event, Visitor
from .fields import ExactCharField, QuantityField


class Impression(models.Model):
    """One offer that one visitor saw in one block, and when they clicked it."""

    visitor = models.ForeignKey(
        Visitor,
        models.CASCADE,
        # The index on (visitor, time) serves.
        db_index=False,
        related_name="impressions",
        verbose_name=_("visitor"),
    )
    item = models.ForeignKey(Item, models.CASCADE, related_name="impressions", verbose_name=_("offer"))
    # Null on a cart page, or with several anchors.
    anchor = models.ForeignKey(
        Item, models.CASCADE, null=True, blank=True, related_name="+", db_index=False, verbose_name=_("anchor")
    )
    # Empty for a block outside of a slot.
    slot = models.CharField(_("slot"), max_length=32, blank=True)
    strategy = models.CharField(_("strategy"), max_length=32)
    # Number of the Release; no foreign key, since what was shown outlives the lists.
    release = models.PositiveBigIntegerField(_("release"), null=True, blank=True)
    # Number of the Arm as text; empty outside of experiments.
    arm = models.CharField(_("arm"), max_length=32, blank=True)
    # Place in the block, 1 first.
    position = models.PositiveSmallIntegerField(_("position"))
    time = models.DateTimeField(_("time"), db_index=True)
    clicked = models.DateTimeField(_("clicked"), null=True, blank=True)
    policy = models.CharField(_("policy version"), max_length=16, blank=True)
    # Number of a rendering that a cache may show to several visitors; null for one that was made for this visitor.
    shared_block = models.BigIntegerField(null=True, blank=True, db_index=True, editable=False)
    # Digest of block, visitor and item; unique, so that a repeated report of an impression cannot add it again.
    key = ExactCharField(max_length=64, unique=True, editable=False)

    class Meta:
        verbose_name = _("impression")
        verbose_name_plural = _("impressions")
        indexes = [models.Index(fields=["visitor", "time"], name="ecomrec_impression_visitor")]

    def __str__(self) -> str:
        return f"{self.strategy} {self.item_id}"


class Conversion(models.Model):
    """An offer's credit: its item was added to the cart or bought soon after a click on the offer or a view of it."""

    class Touch(models.TextChoices):
        CLICK = "click", _("click")
        VIEW = "view", _("view")

    # The purchase, or the addition to the cart.
    event = models.OneToOneField(Event, models.CASCADE, related_name="conversion", verbose_name=_("event"))
    impression = models.ForeignKey(Impression, models.CASCADE, related_name="conversions", verbose_name=_("impression"))
    touch = models.CharField(_("attributed to a"), max_length=5, choices=Touch.choices)
    is_purchase = models.BooleanField(_("purchase"))
    # Pieces less returns.
    quantity = QuantityField(_("quantity"), default=0)
    # In the shop's base currency, net of refunds; the margin where the cost is known, else the revenue.
    revenue = models.DecimalField(_("revenue"), max_digits=14, decimal_places=2, default=0)
    margin = models.DecimalField(_("margin"), max_digits=14, decimal_places=2, default=0)
    time = models.DateTimeField(_("time"), db_index=True)

    class Meta:
        verbose_name = _("conversion")
        verbose_name_plural = _("conversions")

    def __str__(self) -> str:
        return f"{self.touch} {self.impression_id}"


class DailyFigure(models.Model):
    """The results of one day's offers of one kind, which reports add up; rewritten while its windows are open."""

    day = models.DateField(_("day"))
    slot = models.CharField(_("slot"), max_length=32, blank=True)
    strategy = models.CharField(_("strategy"), max_length=32, blank=True)
    arm = models.CharField(_("arm"), max_length=32, blank=True)
    segment = models.PositiveBigIntegerField(_("segment"), default=0)
    release = models.PositiveBigIntegerField(_("release"), default=0)
    impressions = models.PositiveBigIntegerField(_("impressions"), default=0)
    clicks = models.PositiveBigIntegerField(_("clicks"), default=0)
    cart_adds = models.PositiveBigIntegerField(_("added to cart"), default=0)
    # Orders with a credited line, the revenue and margin of those lines, and the value of the whole orders.
    orders = models.PositiveBigIntegerField(_("orders"), default=0)
    revenue = models.DecimalField(_("revenue"), max_digits=16, decimal_places=2, default=0)
    margin = models.DecimalField(_("margin"), max_digits=16, decimal_places=2, default=0)
    order_value = models.DecimalField(_("order value"), max_digits=16, decimal_places=2, default=0)

    class Meta:
        verbose_name = _("daily figure")
        verbose_name_plural = _("earnings")
        constraints = [
            models.UniqueConstraint(
                fields=["day", "slot", "strategy", "arm", "segment", "release"], name="ecomrec_one_figure_a_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.slot} {self.strategy}"


class DailyTotal(models.Model):
    """All orders of the shop on one day, with offers or without."""

    day = models.DateField(_("day"), unique=True)
    orders = models.PositiveBigIntegerField(_("orders"), default=0)
    revenue = models.DecimalField(_("revenue"), max_digits=16, decimal_places=2, default=0)
    # Those with a line credited to an offer, each order once.
    touched_orders = models.PositiveBigIntegerField(_("orders with offers"), default=0)
    touched_value = models.DecimalField(_("order value with offers"), max_digits=16, decimal_places=2, default=0)

    class Meta:
        verbose_name = _("daily total")
        verbose_name_plural = _("daily totals")

    def __str__(self) -> str:
        return str(self.day)


class DailyExposure(models.Model):
    """A day's impressions by one item property; see `ecomrec_django.insights.daily_figures`."""

    day = models.DateField(_("day"))
    dimension = models.CharField(_("property"), max_length=16)
    value = models.CharField(_("value"), max_length=100, blank=True)
    impressions = models.PositiveBigIntegerField(_("impressions"), default=0)

    class Meta:
        verbose_name = _("daily exposure")
        verbose_name_plural = _("daily exposures")
        indexes = [models.Index(fields=["day", "dimension"], name="ecomrec_exposure_of_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.dimension} {self.value}"
