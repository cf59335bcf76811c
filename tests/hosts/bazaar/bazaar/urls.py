from django.contrib import admin
from django.urls import include, path

from market import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("ecomrec/", include("ecomrec_django.urls")),
    path("", views.ProductList.as_view(), name="products"),
    path("p/<slug:slug>/", views.ProductDetail.as_view(), name="product"),
    path("currency/", views.set_currency, name="currency"),
    path("cart/", views.cart, name="cart"),
    path("cart/add/", views.add_to_cart, name="add_to_cart"),
    path("order/", views.place_order, name="place_order"),
]
