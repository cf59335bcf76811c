"""Generations of offer lists: trained, published and rolled back as a whole; and the merchant's word over them."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .catalog import Category, Item
from .shoppers import Segment


class TrainingRun(models.Model):
    """One walk from events to a release, or from pictures to vectors: what it does now, how it ended."""

    class Status(models.TextChoices):
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    class Kind(models.TextChoices):
        RELEASE = "release", _("release")
        PICTURES = "pictures", _("pictures")
        SEQUENCES = "sequences", _("sequences")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.RELEASE)
    status = models.CharField(_("status"), max_length=8, choices=Status.choices, default=Status.RUNNING)
    stage = models.CharField(_("stage"), max_length=64, blank=True)
    percent = models.PositiveSmallIntegerField(_("percent"), default=0)
    # Only events before this moment were learned from; null means all.
    until = models.DateTimeField(_("until"), null=True, blank=True)
    started = models.DateTimeField(_("started"), auto_now_add=True)
    finished = models.DateTimeField(_("finished"), null=True, blank=True)
    # What went wrong, for the merchant and the developer to read.
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
    # Item.pk of the newest item that it was trained on: those after it are covered by `ecomrec_django.pipeline.cover`.
    newest_item = models.BigIntegerField(null=True, editable=False)
    # How well it foretold baskets that it had not seen: see `ecomrec_django.pipeline.replay`.
    evaluation = models.JSONField(_("evaluation"), default=dict, blank=True)
    # Why it may not be published, in words with figures; empty if the evaluation found nothing against it.
    refused = models.TextField(_("refused because"), blank=True)
    overruled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("overruled by"),
    )
    overruled_note = models.CharField(_("overruled because"), max_length=255, blank=True)
    # Of the manifest of what web processes rank by: see `ecomrec_django.learning.artifact`; empty if there is nothing.
    digest = models.CharField(max_length=64, blank=True, editable=False)
    # Set when every list is written: an incomplete release can never be published.
    complete = models.BooleanField(_("complete"), default=False)
    published_at = models.DateTimeField(_("last published"), null=True, blank=True)
    # Release.pk that its lists were compared with for review, 0 for none; ~pk where what is new was held back then;
    # null until they were.
    compared = models.BigIntegerField(null=True, editable=False)
    # When it is to be published by itself; null: not.
    scheduled = models.DateTimeField(_("to be published"), null=True, blank=True)

    class Meta:
        verbose_name = _("release")
        verbose_name_plural = _("releases")
        ordering = ["-id"]
        permissions = [
            ("publish_release", _("Can publish and roll back releases")),
            ("overrule_refusal", _("Can publish a release that its evaluation refused")),
        ]

    def __str__(self) -> str:
        return gettext("Release %(number)d") % {"number": self.pk}


class Publication(models.Model):
    """The one pointer (a single row, id 1) to the release that pages show."""

    release = models.ForeignKey(Release, models.PROTECT, related_name="+")
    # The release shown before, to which a roll back returns.
    previous = models.ForeignKey(Release, models.SET_NULL, null=True, related_name="+")

    def __str__(self) -> str:
        return str(self.release)


class OfferList(models.Model):
    """The ranked offers of one strategy for one anchor: an item, or a category for items without their own list.

    With neither it is for everybody.
    """

    release = models.ForeignKey(Release, models.CASCADE, related_name="lists", verbose_name=_("release"))
    strategy = models.CharField(_("strategy"), max_length=32)
    anchor = models.ForeignKey(
        Item, models.CASCADE, null=True, blank=True, related_name="lists", verbose_name=_("anchor")
    )
    category = models.ForeignKey(
        Category, models.CASCADE, null=True, blank=True, related_name="lists", verbose_name=_("category")
    )
    # Compact JSON, best first: see `ecomrec_django.strategies.base.encode_offers`. What pages show.
    offers = models.TextField(_("offers"))
    # The same with the offers that a merchant has to approve first; null where none has to wait.
    learned = models.TextField(null=True, editable=False)
    # External ids of the offers that nobody has looked at; null: none.
    waiting = models.JSONField(null=True, editable=False)
    # How much the list needs eyes: see `ecomrec_django.pipeline.review`; null: not at all.
    attention = models.FloatField(null=True, editable=False)

    class Meta:
        verbose_name = _("offer list")
        verbose_name_plural = _("offer lists")
        permissions = [("review_offers", _("Can review offers: approve, pin, order and block"))]
        # The review queue.
        indexes = [models.Index(fields=["attention", "release"], name="ecomrec_list_attention")]
        constraints = [
            models.UniqueConstraint(fields=["release", "strategy", "anchor"], name="ecomrec_one_list_per_anchor"),
            models.UniqueConstraint(fields=["release", "strategy", "category"], name="ecomrec_one_list_per_category"),
        ]

    def __str__(self) -> str:
        return f"{self.strategy} {self.owner}"

    @property
    def owner(self) -> str:
        """What the offers stand beside, or belong to."""
        return str(self.anchor or self.category or _("the whole shop"))


class ReviewList(OfferList):
    """An offer list in the queue of those that need a merchant's eyes."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = _("list to review")
        verbose_name_plural = _("lists to review")


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
        help_text=_("Only for shoppers of this segment; for everybody if left empty."),
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
