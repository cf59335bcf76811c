"""Visitors and what they did. Pseudonymous: no row here names a person."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from .catalog import Item
from .fields import ExactCharField, QuantityField


class Kind(models.TextChoices):
    """Kinds of events, named as in Google Analytics 4."""

    VIEW_ITEM = "view_item", _("view")
    ADD_TO_CART = "add_to_cart", _("add to cart")
    REMOVE_FROM_CART = "remove_from_cart", _("remove from cart")
    PURCHASE = "purchase", _("purchase")
    REFUND = "refund", _("refund")
    # Of an order that names none of the lines it takes back; each line that it does has a refund.
    RETURN = "return", _("return")
    REVIEW = "review", _("review")
    VIEW_ITEM_LIST = "view_item_list", _("impression")
    SELECT_ITEM = "select_item", _("click")


class Visitor(models.Model):
    """A shopper under a keyed hash of an account id or of a cookie."""

    key = models.CharField(max_length=64, unique=True)
    created = models.DateTimeField(_("first seen"), auto_now_add=True)
    # The account's visitor, into whose history this cookie's was merged at a login.
    merged_into = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="merged", verbose_name=_("merged into")
    )
    # Training ignores events before this moment: the end of time while consent is withdrawn.
    excluded_until = models.DateTimeField(_("excluded from training until"), null=True, blank=True)

    class Meta:
        verbose_name = _("visitor")
        verbose_name_plural = _("visitors")

    def __str__(self) -> str:
        return self.key[:8]


class Event(models.Model):
    """One action of a visitor on one item."""

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
    quantity = QuantityField(_("quantity"), default=1)
    # Unit price, in the shop's base currency.
    price = models.DecimalField(_("price"), max_digits=12, decimal_places=2, null=True, blank=True)
    rating = models.FloatField(_("rating"), null=True, blank=True)
    # The shop's order, shared by all lines of one purchase.
    basket = ExactCharField(_("order"), max_length=64, blank=True)
    session = models.CharField(_("session"), max_length=64, blank=True)
    # Of a kit whose own line is there as well; training ignores it.
    component = models.BooleanField(_("part of a kit"), default=False, db_default=False)
    # Version of the privacy policy that the visitor had agreed to; empty for what the shop's own records say.
    policy = models.CharField(_("policy version"), max_length=16, blank=True)
    # Where the row came from ("purchase:17"); unique, so that a second import cannot add it again.
    key = ExactCharField(max_length=160, unique=True, null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["visitor", "time"], name="ecomrec_event_visitor_time"),
            models.Index(fields=["basket"], name="ecomrec_event_basket"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.item_id}"


class Correction(models.Model):
    """A purchase or refund that the shop has changed or removed, until the daily totals no longer count it."""

    # Event.pk of the removed row.
    event = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=16, choices=Kind.choices)
    basket = ExactCharField(max_length=64, blank=True)
    time = models.DateTimeField()
    # Price of all its pieces.
    amount = models.DecimalField(max_digits=22, decimal_places=2, default=0)

    def __str__(self) -> str:
        return f"{self.kind} {self.event}"


class WaitingLine(models.Model):
    """An order line that an import refused: it is asked for again until it is imported or given up."""

    # The shop's id of the line, or how messages name it where it has none.
    line = ExactCharField(_("order line"), max_length=128, unique=True)
    order = models.CharField(_("order"), max_length=64, blank=True)
    reason = models.TextField(_("reason"))
    # What the import that refused it first had asked for; null for everything.
    since = models.DateTimeField(_("changed since"), null=True, blank=True)
    tries = models.PositiveIntegerField(_("tries"), default=1)
    tried = models.DateTimeField(_("last tried"))
    due = models.DateTimeField(_("next try"))
    given_up = models.BooleanField(_("given up"), default=False)

    class Meta:
        verbose_name = _("refused order line")
        verbose_name_plural = _("refused order lines")

    def __str__(self) -> str:
        return self.line


class HeldEvent(models.Model):
    """An event of an item that is not in the mirror yet: it waits for the next catalog sync."""

    external_id = ExactCharField(_("product ID"), max_length=128, db_index=True)
    visitor = models.ForeignKey(Visitor, models.CASCADE, related_name="+", verbose_name=_("visitor"))
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    time = models.DateTimeField(_("time"), db_index=True)
    quantity = QuantityField(_("quantity"), default=1)
    rating = models.FloatField(_("rating"), null=True, blank=True)
    policy = models.CharField(_("policy version"), max_length=16, blank=True)
    key = ExactCharField(max_length=160, unique=True, editable=False)

    class Meta:
        verbose_name = _("event waiting for a product")
        verbose_name_plural = _("events waiting for a product")

    def __str__(self) -> str:
        return f"{self.kind} {self.external_id}"


class GuestOrder(models.Model):
    """The cookie visitor who placed an order without an account, to whom its purchases belong."""

    order = ExactCharField(_("order"), max_length=64, unique=True)
    visitor = models.ForeignKey(Visitor, models.CASCADE, related_name="guest_orders", verbose_name=_("visitor"))

    def __str__(self) -> str:
        return self.order


class Omission(models.Model):
    """The number of events of one day that were not recorded, by reason."""

    class Reason(models.TextChoices):
        BOT = "bot", _("bot")
        FAILED = "failed", _("the page returned an error")
        PREFETCH = "prefetch", _("page prefetched, not viewed")
        STAFF = "staff", _("shop staff")
        REFUSED = "refused", _("no consent, or a browser privacy signal")
        WITHDRAWN = "withdrawn", _("consent withdrawn")
        DUPLICATE = "duplicate", _("duplicate")
        FORGED = "forged", _("invalid signature")
        OTHERS = "others", _("block of another visitor, or of too many")
        BURST = "burst", _("too many events from one visitor within a minute")
        FUTURE = "future", _("timestamp in the future")
        STALE = "stale", _("timestamp too old")
        HELD = "held", _("product not in the catalog yet (kept for later)")
        UNKNOWN = "unknown", _("product never appeared in the catalog")
        ERASED = "erased", _("visitor erased")
        LOST = "lost", _("could not be stored")

    day = models.DateField(_("day"))
    reason = models.CharField(_("reason"), max_length=16, choices=Reason.choices)
    count = models.PositiveBigIntegerField(_("events"), default=0)

    class Meta:
        verbose_name = _("ignored events")
        verbose_name_plural = _("ignored events")
        ordering = ["-day", "reason"]
        constraints = [models.UniqueConstraint(fields=["day", "reason"], name="ecomrec_one_count_per_reason")]

    def __str__(self) -> str:
        return f"{self.day} {self.reason}"


class Checkpoint(models.Model):
    """The position of an incremental job ("orders", "history"), where its next run starts."""

    name = models.CharField(_("import"), max_length=64, unique=True)
    position = models.JSONField(default=dict)
    updated = models.DateTimeField(_("last updated"), auto_now=True)
    # Of the last import: its counts, or {"error": "what was wrong"}.
    outcome = models.JSONField(default=dict, blank=True, editable=False)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")

    def __str__(self) -> str:
        return self.name
