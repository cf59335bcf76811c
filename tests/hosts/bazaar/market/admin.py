from django.contrib import admin

from .models import Category, ExchangeRate, Order, Product, Vendor

admin.site.register([Category, ExchangeRate, Order, Product, Vendor])
