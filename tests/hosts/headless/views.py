from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.generic import DetailView
from rest_framework import serializers
from rest_framework.generics import RetrieveAPIView
from rest_framework.permissions import AllowAny

from ecomrec_django.serving.tokens import seal_item
from example_shop.models import Product


class ProductSerializer(serializers.ModelSerializer):
    view_token = serializers.SerializerMethodField()

    class Meta:
        model = Product
        fields = ["sku", "title", "price", "view_token"]

    def get_view_token(self, product):
        return seal_item(product.sku)


class ProductView(RetrieveAPIView):
    queryset = Product.objects.all()
    serializer_class = ProductSerializer
    permission_classes = [AllowAny]
    lookup_field = "sku"


class ProductPage(DetailView):
    """A product page without offers, the same for everybody."""

    queryset = Product.objects.all()
    slug_field = slug_url_kwarg = "sku"


@require_safe
@never_cache
def product_block(request, sku):
    product = get_object_or_404(Product, sku=sku)
    return render(request, "headless/block.html", {"product": product})
