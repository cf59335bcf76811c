from django.apps import apps
from django.urls import include, path

urlpatterns = [
    path("ecomrec/", include("ecomrec_django.urls")),
    path("", include(apps.get_app_config("oscar").urls[0])),
]
