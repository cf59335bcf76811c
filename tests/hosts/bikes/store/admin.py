from django.contrib import admin

from .models import Category, Manufacturer, Order, Product

admin.site.register([Category, Manufacturer, Product, Order])
