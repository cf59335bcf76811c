"""Experiments that compare variants of a slot: their arms, and who was exposed to which."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from .events import Visitor
from .fields import ExactCharField


class Experiment(models.Model):
    """Arms that share the visitors of one slot: in fixed shares, or with more for the better ones (a bandit)."""

    class Mode(models.TextChoices):
        SPLIT = "split", _("fixed shares")
        BANDIT = "bandit", _("adaptive (bandit)")

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
    # Share of visitors who see no offers in the slot: the baseline.
    holdout = models.FloatField(_("holdout"), default=0.1)
    status = models.CharField(_("status"), max_length=8, choices=Status.choices, default=Status.DRAFT, editable=False)
    started = models.DateTimeField(_("started"), null=True, blank=True, editable=False)
    ended = models.DateTimeField(_("ended"), null=True, blank=True, editable=False)
    # Results of the last evaluation: see `ecomrec_django.insights.experiments`.
    results = models.JSONField(_("results"), default=dict, blank=True, editable=False)
    # Why one arm has all visitors outside of the holdout; empty while the arms share them.
    conclusion = models.CharField(_("conclusion"), max_length=255, blank=True, editable=False)

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
    # How it changes the slot: see `ecomrec_django.serving.variants`.
    options = models.JSONField(_("options"), default=dict, blank=True)
    is_holdout = models.BooleanField(_("holdout"), default=False, editable=False)
    # Share of the visitors outside of the holdout, against those of the other arms.
    weight = models.FloatField(_("weight"), default=1.0)
    # Its shares under a bandit: {"0": of visitors without a segment, "7": of Segment 7, ...}.
    shares = models.JSONField(default=dict, blank=True, editable=False)

    class Meta:
        verbose_name = _("arm")
        verbose_name_plural = _("arms")
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["experiment", "name"], name="ecomrec_one_arm_per_name")]

    def __str__(self) -> str:
        return self.name


class Exposure(models.Model):
    """A visitor's first visit of a day to a page whose slot an experiment decides, by arm."""

    arm = models.ForeignKey(Arm, models.CASCADE, db_index=False, related_name="exposures", verbose_name=_("arm"))
    visitor = models.ForeignKey(
        Visitor, models.CASCADE, db_index=False, related_name="exposures", verbose_name=_("visitor")
    )
    time = models.DateTimeField(_("time"))
    # Segment.pk at the time of assignment, 0 for none.
    segment = models.PositiveBigIntegerField(_("segment"), default=0)
    # The probability of the arm for this visitor.
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
