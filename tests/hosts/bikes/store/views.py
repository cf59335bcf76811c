from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from ecomrec_django.tracking import track

from .cart import Cart
from .models import Order, Product


def product_list(request):
    products = Product.objects.filter(is_active=True)
    return render(request, "store/list.html", {"products": products})


def product_detail(request, slug):
    product = get_object_or_404(Product, slug=slug, is_active=True)
    track.view(request, product)
    return render(request, "store/product.html", {"product": product})


def cart_detail(request):
    return render(request, "store/cart.html", {"cart": Cart(request)})


@require_POST
def cart_add(request, product_id):
    product = get_object_or_404(Product, pk=product_id)
    Cart(request).add(product)
    track.add_to_cart(request, product)
    return redirect("cart_detail")


@require_POST
def checkout(request):
    cart = Cart(request)
    user = request.user if request.user.is_authenticated else None
    order = Order.objects.create(customer=user, email=request.POST.get("email", ""))
    for product, quantity in cart.lines():
        order.items.create(product=product, price=product.price, quantity=quantity)
    cart.clear()
    track.order(request, str(order.pk))
    return redirect("product_list")
