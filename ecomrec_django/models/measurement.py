"""What was shown, what came of it, and the experiments that compare one way of offering with another."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from .behaviour import Event, Visitor
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
    # Empty for a block that is not of a slot.
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
    # Digest of block, visitor and item: the same impression reported again is refused by the database.
    key = ExactCharField(max_length=64, unique=True, editable=False)

    class Meta:
        verbose_name = _("impression")
        verbose_name_plural = _("impressions")
        indexes = [models.Index(fields=["visitor", "time"], name="ecomrec_impression_visitor")]

    def __str__(self) -> str:
        return f"{self.strategy} {self.item_id}"


class Experiment(models.Model):
    """Arms that take turns in one slot: a fixed split to compare them, or a bandit that gives the better one more."""

    class Mode(models.TextChoices):
        SPLIT = "split", _("fixed shares")
        BANDIT = "bandit", _("more for what earns more")

    class Objective(models.TextChoices):
        CLICKS = "clicks", _("clicks")
        ORDERS = "orders", _("orders")
        REVENUE = "revenue", _("revenue")
        MARGIN = "margin", _("margin")

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        RUNNING = "running", _("running")
        ENDED = "ended", _("ended")

    name = models.CharField(_("name"), max_length=80)
    slot = models.CharField(_("slot"), max_length=32)
    mode = models.CharField(_("mode"), max_length=8, choices=Mode.choices, default=Mode.SPLIT)
    objective = models.CharField(_("objective"), max_length=8, choices=Objective.choices, default=Objective.REVENUE)
    # Share of visitors who see no offers in the slot: what everything is measured against.
    holdout = models.FloatField(_("holdout"), default=0.1)
    status = models.CharField(_("status"), max_length=8, choices=Status.choices, default=Status.DRAFT, editable=False)
    started = models.DateTimeField(_("started"), null=True, blank=True, editable=False)
    ended = models.DateTimeField(_("ended"), null=True, blank=True, editable=False)
    # What the last evaluation found: see `ecomrec_django.insights.experiments`.
    results = models.JSONField(_("results"), default=dict, blank=True, editable=False)
    # Why one arm has all visitors outside of the holdout; empty while they are shared.
    settled = models.CharField(_("settled because"), max_length=255, blank=True, editable=False)

    class Meta:
        verbose_name = _("experiment")
        verbose_name_plural = _("experiments")
        ordering = ["-id"]
        permissions = [("run_experiment", _("Can start, end and switch experiments"))]

    def __str__(self) -> str:
        return self.name


class Arm(models.Model):
    """One variant of what a slot shows; the one without offers is the holdout."""

    experiment = models.ForeignKey(Experiment, models.CASCADE, related_name="arms", verbose_name=_("experiment"))
    name = models.CharField(_("name"), max_length=40)
    # What it changes of the slot: see `ecomrec_django.serving.variants`.
    options = models.JSONField(_("options"), default=dict, blank=True)
    is_holdout = models.BooleanField(_("holdout"), default=False, editable=False)
    # Share of the visitors outside of the holdout, against those of the other arms.
    weight = models.FloatField(_("weight"), default=1.0)
    # What a bandit gives it: {"0": share of those without a segment, "7": of Segment 7, ...}.
    shares = models.JSONField(default=dict, blank=True, editable=False)

    class Meta:
        verbose_name = _("arm")
        verbose_name_plural = _("arms")
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["experiment", "name"], name="ecomrec_one_arm_per_name")]

    def __str__(self) -> str:
        return self.name


class Exposure(models.Model):
    """A visitor came, on one day, to a page whose slot an experiment decides: the first moment of that day and arm."""

    arm = models.ForeignKey(Arm, models.CASCADE, db_index=False, related_name="exposures", verbose_name=_("arm"))
    visitor = models.ForeignKey(
        Visitor, models.CASCADE, db_index=False, related_name="exposures", verbose_name=_("visitor")
    )
    time = models.DateTimeField(_("time"))
    # Segment.pk as the decision knew it, 0 for none.
    segment = models.PositiveBigIntegerField(_("segment"), default=0)
    # The chance that the arm had for this visitor.
    propensity = models.FloatField(_("propensity"))
    # Digest of arm, visitor and day.
    key = ExactCharField(max_length=64, unique=True, editable=False)

    class Meta:
        verbose_name = _("exposure")
        verbose_name_plural = _("exposures")
        indexes = [
            models.Index(fields=["arm", "time"], name="ecomrec_exposure_arm"),
            models.Index(fields=["visitor", "time"], name="ecomrec_exposure_visitor"),
        ]

    def __str__(self) -> str:
        return f"{self.arm_id} {self.visitor_id}"


class Conversion(models.Model):
    """What an offer is credited with: its item was put in the cart, or bought, soon after it was clicked or seen."""

    class Touch(models.TextChoices):
        CLICK = "click", _("click")
        VIEW = "view", _("view")

    # The purchase or the adding to the cart.
    event = models.OneToOneField(Event, models.CASCADE, related_name="conversion", verbose_name=_("event"))
    impression = models.ForeignKey(Impression, models.CASCADE, related_name="conversions", verbose_name=_("impression"))
    touch = models.CharField(_("after a"), max_length=5, choices=Touch.choices)
    purchase = models.BooleanField(_("bought"))
    # Pieces less those given back.
    quantity = models.PositiveIntegerField(_("quantity"), default=0)
    # In the shop's base currency, less what was given back; margin where the cost is known, else the revenue.
    revenue = models.DecimalField(_("revenue"), max_digits=14, decimal_places=2, default=0)
    margin = models.DecimalField(_("margin"), max_digits=14, decimal_places=2, default=0)
    time = models.DateTimeField(_("time"), db_index=True)

    class Meta:
        verbose_name = _("conversion")
        verbose_name_plural = _("conversions")

    def __str__(self) -> str:
        return f"{self.touch} {self.impression_id}"


class DailyFigure(models.Model):
    """What one day's offers of one kind did: the rows that reports add up. Made anew while its windows are open."""

    day = models.DateField(_("day"))
    slot = models.CharField(_("slot"), max_length=32, blank=True)
    strategy = models.CharField(_("strategy"), max_length=32, blank=True)
    arm = models.CharField(_("arm"), max_length=32, blank=True)
    segment = models.PositiveBigIntegerField(_("segment"), default=0)
    release = models.PositiveBigIntegerField(_("release"), default=0)
    impressions = models.PositiveBigIntegerField(_("impressions"), default=0)
    clicks = models.PositiveBigIntegerField(_("clicks"), default=0)
    cart_adds = models.PositiveBigIntegerField(_("added to cart"), default=0)
    # Orders with a credited line, the revenue and margin of those lines, and what the whole orders were worth.
    orders = models.PositiveBigIntegerField(_("orders"), default=0)
    revenue = models.DecimalField(_("revenue"), max_digits=16, decimal_places=2, default=0)
    margin = models.DecimalField(_("margin"), max_digits=16, decimal_places=2, default=0)
    order_value = models.DecimalField(_("value of orders"), max_digits=16, decimal_places=2, default=0)

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
    # Of these, the ones with a line credited to an offer, each order once.
    touched_orders = models.PositiveBigIntegerField(_("orders with offers"), default=0)
    touched_value = models.DecimalField(_("value of orders with offers"), max_digits=16, decimal_places=2, default=0)

    class Meta:
        verbose_name = _("daily total")
        verbose_name_plural = _("daily totals")

    def __str__(self) -> str:
        return str(self.day)


class DailyExposure(models.Model):
    """How a day's impressions spread over the values of one property of items; see `ecomrec_django.insights.daily`."""

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
