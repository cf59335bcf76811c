"""Include these under any prefix: ``path("ecomrec/", include("ecomrec_django.urls"))``."""

from django.urls import URLPattern, URLResolver

app_name = "ecomrec"

urlpatterns: list[URLPattern | URLResolver] = []
