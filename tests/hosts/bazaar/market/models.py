from decimal import Decimal

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language


class Vendor(models.Model):
    name = models.CharField(max_length=100)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True)

    def __str__(self):
        return self.name


class Category(models.Model):
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True)

    class Meta:
        verbose_name_plural = "categories"

    def __str__(self):
        return self.name


class Product(models.Model):
    class Status(models.TextChoices):
        DRAFT = "draft"
        LIVE = "live"
        ARCHIVED = "archived"

    vendor = models.ForeignKey(Vendor, models.CASCADE, related_name="products")
    category = models.ForeignKey(Category, models.PROTECT, related_name="products")
    slug = models.SlugField(unique=True)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    stock = models.IntegerField(default=0)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.DRAFT)

    def __str__(self):
        return self.slug

    def get_absolute_url(self):
        return reverse("product", args=[self.slug])

    def translation(self):
        """In the language of the page, else in that of the shop."""
        texts = {text.language: text for text in self.translations.all()}
        return texts.get(get_language()) or texts.get(settings.LANGUAGE_CODE)


class ProductTranslation(models.Model):
    product = models.ForeignKey(Product, models.CASCADE, related_name="translations")
    language = models.CharField(max_length=10)
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["product", "language"], name="one_text_per_language")]

    def __str__(self):
        return self.title


class ProductImage(models.Model):
    product = models.ForeignKey(Product, models.CASCADE, related_name="images")
    url = models.URLField()
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position"]

    def __str__(self):
        return self.url


class ExchangeRate(models.Model):
    """What one euro costs."""

    currency = models.CharField(max_length=3, unique=True)
    rate = models.DecimalField(max_digits=12, decimal_places=6)

    def __str__(self):
        return self.currency


class Cart(models.Model):
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True)
    session_key = models.CharField(max_length=40, blank=True, db_index=True)

    def __str__(self):
        return f"Cart {self.pk}"


class CartItem(models.Model):
    cart = models.ForeignKey(Cart, models.CASCADE, related_name="items")
    product = models.ForeignKey(Product, models.CASCADE)
    quantity = models.PositiveIntegerField(default=1)

    def __str__(self):
        return f"{self.quantity} × {self.product}"


class Order(models.Model):
    number = models.CharField(max_length=20, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    currency = models.CharField(max_length=3, default="EUR")
    date_placed = models.DateTimeField(default=timezone.now)
    modified = models.DateTimeField(auto_now=True)

    def __str__(self):
        return self.number


class VendorOrder(models.Model):
    """The part of an order that one vendor sends."""

    class Status(models.TextChoices):
        OPEN = "open"
        SENT = "sent"
        REFUNDED = "refunded"

    order = models.ForeignKey(Order, models.CASCADE, related_name="parts")
    vendor = models.ForeignKey(Vendor, models.PROTECT, related_name="orders")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.OPEN)

    def __str__(self):
        return f"{self.order}, {self.vendor}"


class OrderItem(models.Model):
    part = models.ForeignKey(VendorOrder, models.CASCADE, related_name="items")
    product = models.ForeignKey(Product, models.PROTECT, related_name="+")
    quantity = models.PositiveIntegerField(default=1)
    # Of one piece, in the currency of the order.
    unit_price = models.DecimalField(max_digits=12, decimal_places=2)

    def __str__(self):
        return f"{self.quantity} × {self.product}"

    @property
    def total(self):
        return self.unit_price * Decimal(self.quantity)
