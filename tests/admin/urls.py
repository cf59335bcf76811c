"""The stock admin alone, so that these tests need no shop."""

from django.contrib import admin
from django.http import HttpResponseNotFound
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]


def handler404(request, exception):
    return HttpResponseNotFound(str(exception))
