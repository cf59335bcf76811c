"""Releases: generations of offer lists, trained, published and rolled back as a whole; and the merchant's overrides."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Coalesce
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .catalog import Category, Item
from .shoppers import Segment


class TrainingRun(models.Model):
    """One run of training, from events to a release or from pictures to vectors: its progress and its outcome."""

    class Status(models.TextChoices):
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    class Kind(models.TextChoices):
        RELEASE = "release", _("release")
        PICTURES = "pictures", _("images")
        SEQUENCES = "sequences", _("sequences")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.RELEASE)
    status = models.CharField(_("status"), max_length=8, choices=Status.choices, default=Status.RUNNING)
    stage = models.CharField(_("stage"), max_length=64, blank=True)
    percent = models.PositiveSmallIntegerField(_("percent"), default=0)
    # The training used events before this moment; null means all.
    until = models.DateTimeField(_("until"), null=True, blank=True)
    started = models.DateTimeField(_("started"), auto_now_add=True)
    finished = models.DateTimeField(_("finished"), null=True, blank=True)
    # The outcome, for the merchant and the developer to read.
    message = models.TextField(_("message"), blank=True)
    # Seconds per stage, rows read, lists made.
    metrics = models.JSONField(_("metrics"), default=dict, blank=True)

    class Meta:
        verbose_name = _("training run")
        verbose_name_plural = _("training runs")
        ordering = ["-id"]

    def __str__(self) -> str:
        return gettext("Run %(number)d") % {"number": self.pk}


class Release(models.Model):
    """One generation of offer lists."""

    run = models.OneToOneField(TrainingRun, models.CASCADE, related_name="release", verbose_name=_("training run"))
    created = models.DateTimeField(_("created"), auto_now_add=True)
    # Lists and offers per strategy.
    metrics = models.JSONField(_("metrics"), default=dict, blank=True)
    # Strategy -> [external id, share of the product pages on which it stands], the most shown items first.
    most_shown = models.JSONField(default=dict, editable=False)
    # Item.pk of the newest item that it was trained on; `ecomrec_django.pipeline.cold_start` adds later ones.
    newest_item = models.BigIntegerField(null=True, editable=False)
    # How well it predicted held-out baskets: see `ecomrec_django.pipeline.replay`.
    evaluation = models.JSONField(_("evaluation"), default=dict, blank=True)
    # Of the manifest of the model, see `ecomrec_django.learning.ranking.model`; empty without one.
    digest = models.CharField(max_length=64, blank=True, editable=False)
    # Set when every list is written: an incomplete release can never be published.
    complete = models.BooleanField(_("complete"), default=False)
    published_at = models.DateTimeField(_("last published"), null=True, blank=True)
    # Release.pk with which its lists were compared for review, 0 for none; ~pk where new offers were held back;
    # null before the comparison.
    review_baseline = models.BigIntegerField(null=True, editable=False)
    # When it is published automatically; null: never.
    scheduled_for = models.DateTimeField(_("scheduled for"), null=True, blank=True)

    class Meta:
        verbose_name = _("release")
        verbose_name_plural = _("releases")
        ordering = ["-id"]
        permissions = [
            ("publish_release", _("Can publish and roll back releases")),
            ("overrule_refusal", _("Can publish strategies that the evaluation held back")),
        ]

    def __str__(self) -> str:
        return gettext("Release %(number)d") % {"number": self.pk}

    @property
    def held_back(self) -> list[StrategyVerdict]:
        """The verdicts of its strategies that are held back, by name."""
        return [verdict for verdict in self.verdicts.all() if verdict.outcome == StrategyVerdict.Outcome.HELD]

    def shown_release(self, strategy: str) -> int | None:
        """Release.pk of the lists of one strategy that pages show while this release is published; None for none."""
        return next((each.source_id for each in self.held_back if each.strategy == strategy), self.pk)

    def shown(self) -> models.Q:
        """The condition of the offer lists that pages show while this release is published."""
        held_back = self.held_back
        condition = models.Q(release=self)
        if held_back:
            condition &= ~models.Q(strategy__in=[verdict.strategy for verdict in held_back])
        for verdict in held_back:
            if verdict.source_id is not None:
                condition |= models.Q(release=verdict.source_id, strategy=verdict.strategy)
        return condition


class StrategyVerdict(models.Model):
    """What the evaluation of a release says of one of its strategies, and what pages show of that strategy.

    A release is published as a whole, except for the strategies that are held back: their lists and rankers stay those
    of an earlier release.
    """

    class Outcome(models.TextChoices):
        PASSED = "passed", _("passed")
        WARNED = "warned", _("warning")
        HELD = "held", _("held back")
        OVERRULED = "overruled", _("published anyway")

    release = models.ForeignKey(Release, models.CASCADE, related_name="verdicts", verbose_name=_("release"))
    strategy = models.CharField(_("strategy"), max_length=32)
    outcome = models.CharField(_("outcome"), max_length=9, choices=Outcome.choices, default=Outcome.PASSED)
    # What speaks against it, one sentence a line with figures, limits and remedies; empty if it passed.
    reasons = models.TextField(_("reasons"), blank=True)
    # The release whose lists pages show while it is held back; null: none.
    source = models.ForeignKey(Release, models.SET_NULL, null=True, related_name="+", verbose_name=_("shown instead"))
    overruled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("overruled by"),
    )
    overruled_note = models.CharField(_("reason for overruling"), max_length=255, blank=True)

    class Meta:
        verbose_name = _("verdict on a strategy")
        verbose_name_plural = _("verdicts on strategies")
        ordering = ["strategy"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["release", "strategy"], name="ecomrec_one_verdict_per_strategy")]

    def __str__(self) -> str:
        return f"{self.strategy}: {self.get_outcome_display()}"


class PublicationQuerySet(models.QuerySet["Publication"]):
    """Publications, of which there is one row at most."""

    def current(self) -> PublicationQuerySet:
        """The publication that pages show: one row, or none before the first release is published."""
        return self.filter(pk=Publication.CURRENT)

    def current_value(self, column: str) -> models.Subquery:
        """A column of the publication that pages show, as a value within another query; NULL before the first."""
        # Django takes a subquery for a single value only where it is limited to one row.
        return models.Subquery(self.current().values(column)[:1])

    def shown_release(self, strategy: str) -> Coalesce:
        """Release.pk of the lists of one strategy that pages show, as a value within another query.

        Mostly the published release; where that holds the strategy back, an earlier one, or 0 for none. NULL before the
        first publication.
        """
        held_back = StrategyVerdict.objects.filter(
            release_id=self.current_value("release_id"), strategy=strategy, outcome=StrategyVerdict.Outcome.HELD
        ).order_by()
        number = models.BigIntegerField()
        source = held_back.annotate(shown=Coalesce("source_id", 0, output_field=number)).values("shown")[:1]
        return Coalesce(models.Subquery(source), self.current_value("release_id"), output_field=number)


class Publication(models.Model):
    """The pointer to the release that pages show: a single row."""

    # Primary key of that row.
    CURRENT = 1

    release = models.ForeignKey(Release, models.PROTECT, related_name="+")
    # The former release, to which a rollback returns.
    previous = models.ForeignKey(Release, models.SET_NULL, null=True, related_name="+")

    objects = PublicationQuerySet.as_manager()

    def __str__(self) -> str:
        return str(self.release)


class OfferList(models.Model):
    """The ranked offers of one strategy for one anchor: an item, or a category for items without their own list.

    Without either it is the general list.
    """

    release = models.ForeignKey(Release, models.CASCADE, related_name="lists", verbose_name=_("release"))
    strategy = models.CharField(_("strategy"), max_length=32)
    anchor = models.ForeignKey(
        Item, models.CASCADE, null=True, blank=True, related_name="lists", verbose_name=_("anchor")
    )
    category = models.ForeignKey(
        Category, models.CASCADE, null=True, blank=True, related_name="lists", verbose_name=_("category")
    )
    # Compact JSON, best first: see `ecomrec_django.strategies.base.encode_offers`. Pages show these.
    offers = models.TextField(_("offers"))
    # The same with the offers that a merchant has to approve first; null where there are none.
    proposed = models.TextField(null=True, editable=False)
    # External ids of the offers that nobody has reviewed; null: none.
    unreviewed = models.JSONField(null=True, editable=False)
    # Place in the review queue, most urgent highest: see `ecomrec_django.merchandising.review`; null: not in it.
    priority = models.FloatField(null=True, editable=False)

    class Meta:
        verbose_name = _("offer list")
        verbose_name_plural = _("offer lists")
        permissions = [("review_offers", _("Can review offers: approve, pin, order and block"))]
        # The review queue.
        indexes = [models.Index(fields=["priority", "release"], name="ecomrec_list_priority")]
        constraints = [
            models.UniqueConstraint(fields=["release", "strategy", "anchor"], name="ecomrec_one_list_per_anchor"),
            models.UniqueConstraint(fields=["release", "strategy", "category"], name="ecomrec_one_list_per_category"),
        ]

    def __str__(self) -> str:
        return f"{self.strategy} {self.owner}"

    @property
    def owner(self) -> str:
        """The item or category whose page shows the offers."""
        return str(self.anchor or self.category or _("the whole shop"))


class ReviewList(OfferList):
    """An offer list in the review queue."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = _("offer list to review")
        verbose_name_plural = _("review queue")


class Override(models.Model):
    """A merchant's pin or block of one offer, which outlives releases."""

    class Action(models.TextChoices):
        PIN = "pin", _("pin")
        BLOCK = "block", _("block")

    strategy = models.CharField(_("strategy"), max_length=32)
    anchor = models.ForeignKey(Item, models.CASCADE, related_name="overrides", verbose_name=_("anchor"))
    offer = models.ForeignKey(Item, models.CASCADE, related_name="+", verbose_name=_("offer"))
    action = models.CharField(_("action"), max_length=5, choices=Action.choices)
    # Only for shoppers of this segment; null: for everybody.
    segment = models.ForeignKey(
        Segment,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="overrides",
        verbose_name=_("segment"),
        help_text=_("Only for shoppers in this segment; leave empty for everyone."),
    )
    # Place of a pin among the pins, 1 first.
    position = models.PositiveSmallIntegerField(_("position"), default=1)
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
        verbose_name = _("override")
        verbose_name_plural = _("overrides")
        constraints = [
            models.UniqueConstraint(fields=["strategy", "anchor", "offer"], name="ecomrec_one_override_per_pair")
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.offer_id}"
