from django.conf import settings
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.crypto import get_random_string
from django.views.decorators.http import require_POST
from django.views.generic import DetailView, ListView

from ecomrec_django.tracking import track

from .models import Cart, Order, Product
from .prices import currency_of, in_currency, rate_of


class ProductList(ListView):
    queryset = Product.objects.filter(status=Product.Status.LIVE).prefetch_related("translations")


class ProductDetail(DetailView):
    queryset = Product.objects.filter(status=Product.Status.LIVE)


@require_POST
def set_currency(request):
    request.session["currency"] = request.POST.get("currency", settings.DEFAULT_CURRENCY)
    return redirect("products")


def own_cart(request):
    if request.user.is_authenticated:
        return Cart.objects.get_or_create(user=request.user)[0]
    if not request.session.session_key:
        request.session.create()
    return Cart.objects.get_or_create(user=None, session_key=request.session.session_key)[0]


def cart(request):
    return render(request, "market/cart.html", {"cart": own_cart(request)})


@require_POST
def add_to_cart(request):
    product = get_object_or_404(Product, pk=request.POST.get("product"), status=Product.Status.LIVE)
    own_cart(request).items.create(product=product)
    track.add_to_cart(request, product)
    return redirect("cart")


@require_POST
def place_order(request):
    cart, currency = own_cart(request), currency_of(request)
    rate = rate_of(currency)
    user = request.user if request.user.is_authenticated else None
    order = Order.objects.create(number=get_random_string(10), user=user, currency=currency)
    for item in cart.items.select_related("product__vendor"):
        part, _ = order.parts.get_or_create(vendor=item.product.vendor)
        part.items.create(
            product=item.product, quantity=item.quantity, unit_price=in_currency(item.product.price, rate)
        )
    cart.items.all().delete()
    return redirect("products")
