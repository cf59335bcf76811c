from django.urls import path
from django.views.decorators.cache import cache_page
from rest_framework_simplejwt.views import TokenObtainPairView

from example_shop.urls import urlpatterns as shop

from . import views

urlpatterns = [
    path("api/token/", TokenObtainPairView.as_view()),
    path("api/products/<path:sku>/", views.ProductView.as_view()),
    path("htmx/<path:sku>/", views.ProductPage.as_view(template_name="headless/htmx.html")),
    path("turbo/<path:sku>/", views.ProductPage.as_view(template_name="headless/turbo.html")),
    path("cached/<path:sku>/", cache_page(300)(views.ProductPage.as_view(template_name="headless/cached.html"))),
    path("blocks/<path:sku>/", views.product_block, name="product-block"),
    *shop,
]
