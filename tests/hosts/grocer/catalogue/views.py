from rest_framework import serializers
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.permissions import AllowAny

from .models import Product


class ProductSerializer(serializers.ModelSerializer):
    class Meta:
        model = Product
        fields = ["id", "label", "maker", "price_cents", "image_url", "sold_out"]


class ProductList(ListAPIView):
    queryset = Product.objects.filter(listed=True)
    serializer_class = ProductSerializer
    permission_classes = [AllowAny]


class ProductView(RetrieveAPIView):
    queryset = Product.objects.filter(listed=True)
    serializer_class = ProductSerializer
    permission_classes = [AllowAny]
