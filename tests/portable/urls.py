from django.contrib import admin
from django.urls import include, path
from portable.shop.views import product

urlpatterns = [
    path("product/<int:pk>/", product, name="product"),
    path("ecomrec/", include("ecomrec_django.urls")),
    path("admin/", admin.site.urls),
]
