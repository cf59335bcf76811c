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
    # Where the row came from ("purchase:17"): a second import of the same thing is refused by the database.
    key = ExactCharField(max_length=160, unique=True, null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["-id"]
        indexes = [models.Index(fields=["visitor", "time"], name="ecomrec_event_visitor_time")]

    def __str__(self) -> str:
        return f"{self.kind} {self.item_id}"


class Checkpoint(models.Model):
    """How far an incremental job has come ("orders", "history"), so that the next run starts there."""

    name = models.CharField(max_length=64, unique=True)
    position = models.JSONField(default=dict)
    updated = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.name
