"""The mirror of the shop's catalog. No foreign key leads to the shop's own models."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from .fields import ExactCharField
from .sizes import format_amount, format_unit_price

CATEGORY_SEPARATOR = " > "


class Category(models.Model):
    """A node of the shop's category tree; a leaf is a *need*."""

    parent = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="children", verbose_name=_("parent")
    )
    name = models.CharField(_("name"), max_length=255)
    # The names from the root to here joined by " > ", as in the shop's own language.
    path = models.TextField(_("path"))
    # The shop's own, which survives a new name and a new place; "" where the path is all there is.
    key = models.CharField(_("key"), max_length=128, blank=True)
    # Of the key or the path: what a category is known by, since MySQL cannot index a path whole.
    digest = models.CharField(max_length=32, unique=True, editable=False)
    path_digest = models.CharField(max_length=32, db_index=True, editable=False)
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


def within(path: str, category: str) -> bool:
    """Whether a category's ``path`` is ``category`` or lies below it."""
    return path == category or path.startswith(category + CATEGORY_SEPARATOR)


class Item(models.Model):
    """One product of the shop, as it was at the last sync."""

    external_id = ExactCharField(_("product ID"), max_length=128, unique=True)
    title = models.CharField(_("title"), max_length=255)
    category = models.ForeignKey(
        Category, models.SET_NULL, null=True, blank=True, related_name="items", verbose_name=_("category")
    )
    brand = models.CharField(_("brand"), max_length=255, blank=True)
    price = models.DecimalField(_("price"), max_digits=12, decimal_places=2, null=True, blank=True)
    # What it costs the shop, in the same currency; null where it does not say.
    cost = models.DecimalField(_("cost"), max_digits=12, decimal_places=2, null=True, blank=True)
    rating = models.FloatField(_("rating"), null=True, blank=True)
    # How much it holds, in grams, millilitres or pieces: see `ecomrec_django.learning.amounts`.
    amount = models.FloatField(_("amount"), null=True, blank=True)
    unit = models.CharField(_("unit"), max_length=5, blank=True)
    image = models.CharField(_("image"), max_length=500, blank=True)
    description = models.TextField(_("description"), blank=True)
    # Text by name, such as {"colour": "red"}.
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    available = models.BooleanField(_("available"), default=True)
    # False for fees, postage and whatever else shoppers do not choose: neither learned from nor offered.
    sellable = models.BooleanField(_("sellable"), default=True)
    # False once the shop no longer sells it; kept because training still uses its history.
    active = models.BooleanField(_("in the catalog"), default=True)
    # External id of the product whose place it took, whose history counts for it; "" for none.
    replaces = ExactCharField(_("replaces"), max_length=128, blank=True, db_index=True)
    # Digest of the facts last seen, so that a sync writes only what changed.
    fingerprint = models.CharField(max_length=32, editable=False)
    first_seen = models.DateTimeField(_("first seen"), auto_now_add=True)
    synced_at = models.DateTimeField(_("last synced"), auto_now=True)

    class Meta:
        verbose_name = _("item")
        verbose_name_plural = _("items")
        # The admin lists items by title and searches by how a title begins.
        indexes = [models.Index(fields=["title"], name="ecomrec_item_title")]

    def __str__(self) -> str:
        return self.title

    @property
    def size_text(self) -> str:
        """How much it holds; "" if unknown."""
        return "" if self.amount is None else format_amount(self.amount, self.unit)

    @property
    def unit_price_text(self) -> str:
        """What a kilogram, litre or piece of it costs; "" if unknown."""
        return "" if not self.amount or self.price is None else format_unit_price(self.price, self.amount, self.unit)


class ItemPicture(models.Model):
    """What the image network made of an item's picture: see `ecomrec_django.pipeline.train_images`."""

    item = models.OneToOneField(Item, models.CASCADE, primary_key=True, related_name="picture", verbose_name=_("item"))
    # `Item.image` at the time of reading: another address is another picture.
    image = models.CharField(max_length=500)
    # 128 float16 numbers, a vector of length 1; null where the picture could not be read.
    vector = models.BinaryField(null=True)
    # The network that made the vector: vectors of different networks are never compared.
    network = models.CharField(max_length=32, blank=True)
    problem = models.CharField(_("problem"), max_length=200, blank=True)
    # The most probable category of an item without one, where the network is sure enough to act on it.
    category = models.ForeignKey(
        Category, models.SET_NULL, null=True, related_name="+", verbose_name=_("suggested category")
    )
    # Predictions of missing attributes, by name, as [value, probability].
    suggestions = models.JSONField(_("suggestions"), default=dict, blank=True)
    read_at = models.DateTimeField(_("analysed"))

    class Meta:
        verbose_name = _("product image")
        verbose_name_plural = _("product images")

    def __str__(self) -> str:
        return self.image
