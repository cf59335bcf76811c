from django.contrib import admin

from .models import Department, Product

admin.site.register([Department, Product])
