"""The shop's own models. They know nothing of recommendations."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone


class Category(models.Model):
    name = models.CharField(max_length=255)
    slug = models.SlugField(max_length=255, unique=True)
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="children")

    class Meta:
        verbose_name_plural = "categories"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("category", args=[self.slug])

    def ancestors(self) -> list["Category"]:
        """The categories above this one, the root first."""
        found, seen = [], {self.pk}
        category = self.parent
        while category is not None and category.pk not in seen:
            seen.add(category.pk)
            found.append(category)
            category = category.parent
        return found[::-1]

    def subtree(self) -> set[int]:
        """Keys of this category and of all below it; one query a level."""
        found, level = {self.pk}, [self.pk]
        while level:
            below = Category.objects.filter(parent__in=level).order_by().values_list("pk", flat=True)
            level = [pk for pk in below if pk not in found]
            found.update(level)
        return found


class Product(models.Model):
    sku = models.CharField(max_length=64, unique=True)
    title = models.CharField(max_length=255)
    category = models.ForeignKey(Category, models.SET_NULL, null=True, blank=True, related_name="products")
    brand = models.CharField(max_length=255, blank=True)
    price = models.DecimalField(max_digits=10, decimal_places=2, null=True, blank=True)
    stock = models.PositiveIntegerField(default=100)
    # Units sold so far, kept here so that "most popular first" needs no look at the orders.
    sold = models.PositiveIntegerField(default=0)
    # Mean of the reviews' stars, kept beside them so that a listing costs one query.
    rating = models.FloatField(null=True, blank=True)
    image = models.ImageField(upload_to="products", blank=True, max_length=255)
    description = models.TextField(blank=True)
    # As on the package: "1/2 gal", "12 x 12 fl oz".
    size = models.CharField(max_length=64, blank=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["title", "pk"]
        indexes = [
            models.Index(fields=["title"], name="shop_product_title"),
            models.Index(fields=["-sold", "title"], name="shop_product_popular"),
            models.Index(fields=["category", "-sold", "title"], name="shop_category_popular"),
            models.Index(fields=["category", "price"], name="shop_category_price"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("product", args=[self.sku])

    @property
    def buyable(self) -> bool:
        return self.price is not None and self.stock > 0

    def rate(self) -> None:
        """Bring ``rating`` up to date with the reviews."""
        self.rating = self.reviews.aggregate(mean=models.Avg("rating"))["mean"]
        self.save(update_fields=["rating", "updated"])


class Review(models.Model):
    product = models.ForeignKey(Product, models.CASCADE, related_name="reviews")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="reviews")
    rating = models.PositiveSmallIntegerField()
    text = models.TextField(blank=True)
    created = models.DateTimeField(default=timezone.now)
    updated = models.DateTimeField(auto_now=True, db_index=True)

    class Meta:
        ordering = ["-created"]
        constraints = [models.UniqueConstraint(fields=["product", "user"], name="one_review_per_customer")]

    def __str__(self) -> str:
        return f"{self.product}: {self.rating}"


class Order(models.Model):
    class Status(models.TextChoices):
        PAID = "paid"
        CANCELLED = "cancelled"

    number = models.CharField(max_length=64, unique=True)
    # Null for a guest.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="orders")
    email = models.EmailField(blank=True)
    name = models.CharField(max_length=255, blank=True)
    address = models.TextField(blank=True)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.PAID)
    placed = models.DateTimeField(default=timezone.now, db_index=True)
    updated = models.DateTimeField(auto_now=True, db_index=True)

    class Meta:
        ordering = ["-placed"]

    def __str__(self) -> str:
        return self.number

    @property
    def total(self) -> Decimal:
        return sum((line.total for line in self.lines.all()), Decimal(0))


class OrderLine(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, models.SET_NULL, null=True, related_name="order_lines")
    # As it was sold, whatever becomes of the product.
    sku = models.CharField(max_length=64)
    title = models.CharField(max_length=255)
    quantity = models.PositiveIntegerField(default=1)
    unit_price = models.DecimalField(max_digits=10, decimal_places=2)
    refunded = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.quantity} × {self.title}"

    @property
    def total(self) -> Decimal:
        return self.unit_price * self.quantity
