"""Who did what, when. Pseudonymous: no row here names a person."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from .catalog import Item
from .fields import ExactCharField


class Kind(models.TextChoices):
    """What happened, in the words of Google Analytics 4."""

    VIEW_ITEM = "view_item", _("view")
    ADD_TO_CART = "add_to_cart", _("add to cart")
    REMOVE_FROM_CART = "remove_from_cart", _("remove from cart")
    PURCHASE = "purchase", _("purchase")
    REFUND = "refund", _("refund")
    REVIEW = "review", _("review")
    VIEW_ITEM_LIST = "view_item_list", _("impression")
    SELECT_ITEM = "select_item", _("click")


class Visitor(models.Model):
    """A shopper under a keyed hash of an account id or of a cookie."""

    key = models.CharField(max_length=64, unique=True)
    created = models.DateTimeField(_("first seen"), auto_now_add=True)
    # The account whose history this cookie's has joined, at a login.
    merged_into = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="merged", verbose_name=_("merged into")
    )
    # Events before this moment are not learned from: the end of time while consent is withdrawn.
    excluded_until = models.DateTimeField(_("not learned from until"), null=True, blank=True)

    class Meta:
        verbose_name = _("visitor")
        verbose_name_plural = _("visitors")

    def __str__(self) -> str:
        return self.key[:8]


class Event(models.Model):
    """One thing a visitor did with one item."""

    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    # Null for a guest whose purchase cannot be joined to anyone.
    visitor = models.ForeignKey(
        Visitor,
        models.CASCADE,
        null=True,
        blank=True,
        # The index on (visitor, time) serves.
        db_index=False,
        related_name="events",
        verbose_name=_("visitor"),
    )
    item = models.ForeignKey(Item, models.CASCADE, related_name="events", verbose_name=_("item"))
    time = models.DateTimeField(_("time"))
    quantity = models.PositiveIntegerField(_("quantity"), default=1)
    # Unit price, in the shop's base currency.
    price = models.DecimalField(_("price"), max_digits=12, decimal_places=2, null=True, blank=True)
    rating = models.FloatField(_("rating"), null=True, blank=True)
    # The shop's order, shared by all lines of one purchase.
    basket = models.CharField(_("order"), max_length=64, blank=True)
    session = models.CharField(_("session"), max_length=64, blank=True)
    # Version of the privacy policy that the visitor had agreed to; empty for what the shop's own records say.
    policy = models.CharField(_("policy version"), max_length=16, blank=True)
    # Where the row came from ("purchase:17"): a second import of the same thing is refused by the database.
    key = ExactCharField(max_length=160, unique=True, null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["-id"]
        indexes = [models.Index(fields=["visitor", "time"], name="ecomrec_event_visitor_time")]

    def __str__(self) -> str:
        return f"{self.kind} {self.item_id}"


class HeldEvent(models.Model):
    """An event of an item that the mirror does not know yet: it waits for the next sync of the catalog."""

    external_id = ExactCharField(_("shop's id"), max_length=128, db_index=True)
    visitor = models.ForeignKey(Visitor, models.CASCADE, related_name="+", verbose_name=_("visitor"))
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    time = models.DateTimeField(_("time"), db_index=True)
    quantity = models.PositiveIntegerField(_("quantity"), default=1)
    rating = models.FloatField(_("rating"), null=True, blank=True)
    policy = models.CharField(_("policy version"), max_length=16, blank=True)
    key = ExactCharField(max_length=160, unique=True, editable=False)

    class Meta:
        verbose_name = _("held event")
        verbose_name_plural = _("held events")

    def __str__(self) -> str:
        return f"{self.kind} {self.external_id}"


class GuestOrder(models.Model):
    """Which cookie's visitor placed an order without an account, so that its purchases are theirs."""

    order = ExactCharField(_("order"), max_length=64, unique=True)
    visitor = models.ForeignKey(Visitor, models.CASCADE, related_name="guest_orders", verbose_name=_("visitor"))

    def __str__(self) -> str:
        return self.order


class Omission(models.Model):
    """How many events of one day were not recorded, and why."""

    class Reason(models.TextChoices):
        BOT = "bot", _("a program, not a person")
        FAILED = "failed", _("the page ended in an error")
        PREFETCH = "prefetch", _("fetched ahead, not looked at")
        STAFF = "staff", _("staff of the shop")
        REFUSED = "refused", _("no consent, or a privacy signal of the browser")
        WITHDRAWN = "withdrawn", _("consent withdrawn")
        DUPLICATE = "duplicate", _("the same again within moments")
        FORGED = "forged", _("not signed by this shop")
        BURST = "burst", _("too many by one visitor within a minute")
        FUTURE = "future", _("a time in the future")
        STALE = "stale", _("too old to be a page view of today")
        HELD = "held", _("product not in the catalog yet (kept aside)")
        UNKNOWN = "unknown", _("product never came into the catalog")
        ERASED = "erased", _("of a person who was forgotten")
        LOST = "lost", _("could not be stored")

    day = models.DateField(_("day"))
    reason = models.CharField(_("reason"), max_length=16, choices=Reason.choices)
    count = models.PositiveBigIntegerField(_("events"), default=0)

    class Meta:
        verbose_name = _("events left out")
        verbose_name_plural = _("events left out")
        ordering = ["-day", "reason"]
        constraints = [models.UniqueConstraint(fields=["day", "reason"], name="ecomrec_one_count_per_reason")]

    def __str__(self) -> str:
        return f"{self.day} {self.reason}"


class Checkpoint(models.Model):
    """How far an incremental job has come ("orders", "history"), so that the next run starts there."""

    name = models.CharField(max_length=64, unique=True)
    position = models.JSONField(default=dict)
    updated = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.name
