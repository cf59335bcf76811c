"""Addresses and pages of `benchmarks.tracking`."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def product(request: HttpRequest, sku: str = "none") -> HttpResponse:
    return HttpResponse(f"<h1>{sku}</h1>" + "<p>One of the products that this shop has sold for years.</p>" * 50)


urlpatterns = [
    path("product/<slug:sku>/", product, name="product"),
    path("page/", product),
    path("ecomrec/", include("ecomrec_django.urls")),
]
