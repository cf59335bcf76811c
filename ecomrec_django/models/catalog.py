"""Our mirror of what the shop sells. No foreign key leads to the shop's own models."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from .fields import ExactCharField

CATEGORY_SEPARATOR = " > "


class Category(models.Model):
    """A node of the shop's category tree; a leaf is a *need*."""

    parent = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="children", verbose_name=_("parent")
    )
    name = models.CharField(_("name"), max_length=255)
    # The names from the root to here joined by " > "; its digest is the key, since MySQL cannot index it whole.
    path = models.TextField(_("path"))
    digest = models.CharField(max_length=32, unique=True, editable=False)
    # The level that "bought with" looks across (see `aisle_path`): itself or its parent.
    aisle = models.ForeignKey("self", models.CASCADE, null=True, editable=False, related_name="+")

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")

    def __str__(self) -> str:
        return self.path


def aisle_path(path: tuple[str, ...]) -> tuple[str, ...]:
    """The level at which categories count as *other*: the leaf, or its parent in trees of three levels and more.

    ("Grocery", "Milk", "Whole milk") -> ("Grocery", "Milk"); ("Bikes", "Helmets") -> ("Bikes", "Helmets").
    """
    return path[:-1] if len(path) >= 3 else path


class Item(models.Model):
    """One product of the shop, as it was at the last sync."""

    external_id = ExactCharField(_("shop's id"), max_length=128, unique=True)
    title = models.CharField(_("title"), max_length=255)
    category = models.ForeignKey(
        Category, models.SET_NULL, null=True, blank=True, related_name="items", verbose_name=_("category")
    )
    brand = models.CharField(_("brand"), max_length=255, blank=True)
    price = models.DecimalField(_("price"), max_digits=12, decimal_places=2, null=True, blank=True)
    # What it costs the shop, in the same currency; null where it does not say.
    cost = models.DecimalField(_("cost"), max_digits=12, decimal_places=2, null=True, blank=True)
    rating = models.FloatField(_("rating"), null=True, blank=True)
    image = models.CharField(_("picture"), max_length=500, blank=True)
    description = models.TextField(_("description"), blank=True)
    # Text by name, such as {"colour": "red"}.
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    available = models.BooleanField(_("available"), default=True)
    # False once the shop no longer has it; kept because its history still teaches.
    active = models.BooleanField(_("in the catalog"), default=True)
    # Digest of the facts last seen, so that a sync writes only what changed.
    fingerprint = models.CharField(max_length=32, editable=False)
    first_seen = models.DateTimeField(_("first seen"), auto_now_add=True)
    synced_at = models.DateTimeField(_("synced at"), auto_now=True)

    class Meta:
        verbose_name = _("item")
        verbose_name_plural = _("items")
        # The admin lists items by title and searches by how a title begins.
        indexes = [models.Index(fields=["title"], name="ecomrec_item_title")]

    def __str__(self) -> str:
        return self.title


class ItemPicture(models.Model):
    """What was seen in the picture of an item: see `ecomrec_django.pipeline.pictures`."""

    item = models.OneToOneField(Item, models.CASCADE, primary_key=True, related_name="picture", verbose_name=_("item"))
    # `Item.image` as it was when the picture was read: another address is another picture.
    image = models.CharField(max_length=500)
    # 128 float16 numbers, a vector of length 1; null where the picture could not be read.
    vector = models.BinaryField(null=True)
    # The network that made the vector: only those of one network are compared.
    network = models.CharField(max_length=32, blank=True)
    problem = models.CharField(_("problem"), max_length=200, blank=True)
    # What an item without a category most probably is, where the network is sure enough to act on it.
    category = models.ForeignKey(
        Category, models.SET_NULL, null=True, related_name="+", verbose_name=_("suggested category")
    )
    # What the item does not say of itself, by name, as [value, chance].
    suggested = models.JSONField(_("suggestions"), default=dict, blank=True)
    read = models.DateTimeField(_("read"))

    class Meta:
        verbose_name = _("picture")
        verbose_name_plural = _("pictures")

    def __str__(self) -> str:
        return self.image
