from django.contrib import admin

from ecomrec_django.admin.product_mixin import EcomrecProductAdminMixin

from .models import Order, Product

admin.site.register(Order)


@admin.register(Product)
class ProductAdmin(EcomrecProductAdminMixin, admin.ModelAdmin):
    pass
