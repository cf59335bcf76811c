from django.contrib import admin
from django.urls import include, path
from rest_framework_simplejwt.views import TokenObtainPairView

from catalogue.views import ProductList, ProductView
from sales.views import BasketView, CheckoutView

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/token/", TokenObtainPairView.as_view(), name="token"),
    path("api/products/", ProductList.as_view(), name="products"),
    path("api/products/<uuid:pk>/", ProductView.as_view(), name="product"),
    path("api/basket/", BasketView.as_view(), name="basket"),
    path("api/checkout/", CheckoutView.as_view(), name="checkout"),
    path("api/recommendations/", include("ecomrec_django.urls")),
]
