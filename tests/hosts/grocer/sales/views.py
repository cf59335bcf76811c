from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from catalogue.models import Product
from ecomrec_django.tracking import track

from .models import Order


class BasketView(APIView):
    permission_classes = [IsAuthenticated]

    def post(self, request):
        product = get_object_or_404(Product, pk=request.data["product"], listed=True)
        basket, _ = Order.objects.get_or_create(buyer=request.user, state=Order.State.BASKET)
        basket.lines.create(product=product, unit_price_cents=product.price_cents)
        track.add_to_cart(request, product)
        return Response({"lines": basket.lines.count()}, status=201)


class CheckoutView(APIView):
    permission_classes = [IsAuthenticated]

    def post(self, request):
        order = get_object_or_404(Order, buyer=request.user, state=Order.State.BASKET)
        order.state, order.placed_at = Order.State.PLACED, timezone.now()
        order.save()
        return Response({"order": order.pk}, status=201)
