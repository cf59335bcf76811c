"""The cart, the checkout, and the order it makes."""

from django.contrib import messages
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from ecomrec_django.tracking import track

from ..addresses import own_address
from ..cart import MOST_LINES, Cart
from ..forms import AddForm, CheckoutForm, UpdateForm
from ..models import Order, Product
from ..orders import CannotOrderError, place_order

# Orders of this session, so that a guest can see what they ordered.
SESSION_ORDERS = "orders"
# Products of a bundle.
MOST_AT_ONCE = 21


@require_safe
def cart(request):
    return render(request, "shop/cart.html", {"cart": Cart(request)})


@require_safe
def shared(request):
    """A cart that somebody sent as a link, ``?sku=A&sku=B``: it becomes one's own at the press of a button."""
    skus = request.GET.getlist("sku")[:MOST_LINES]
    found = _products(skus)
    products = [found[sku] for sku in dict.fromkeys(skus) if sku in found]
    return render(request, "shop/shared_cart.html", {"products": products})


@require_POST
def take(request):
    """Put one piece of each product of a shared cart into one's own."""
    for product in _products(request.POST.getlist("sku")[:MOST_LINES]).values():
        if product.buyable and product.sku not in Cart(request).quantities:
            _put(request, product.sku, 1)
    return redirect("cart")


@require_POST
def add(request):
    form = AddForm(request.POST)
    product = _product(request.POST.get("sku", ""))
    if product is None or not form.is_valid():
        messages.error(request, "This could not be added to your cart.")
    elif not product.buyable:
        messages.error(request, f"“{product.title}” cannot be ordered at the moment.")
    else:
        there = Cart(request).quantities.get(product.sku, 0)
        _put(request, product.sku, there + form.cleaned_data["quantity"])
        messages.success(request, f"“{product.title}” is in your cart.")
    return redirect(own_address(request, "cart"))


@require_POST
def add_all(request):
    """Put one piece of each product of a bundle into the cart; what cannot be ordered is named, the others go in."""
    skus = list(dict.fromkeys(request.POST.getlist("sku")))[:MOST_AT_ONCE]
    found = _products(skus)
    products = [found[sku] for sku in skus if sku in found]
    added = 0
    for product in products:
        if not product.buyable:
            messages.error(request, f"“{product.title}” cannot be ordered at the moment.")
        elif _put(request, product.sku, Cart(request).quantities.get(product.sku, 0) + 1) > 0:
            added += 1
        else:
            messages.error(request, f"Your cart has no room for “{product.title}”.")
    if added:
        messages.success(request, f"{added} product{'' if added == 1 else 's'} added to your cart.")
    elif not products:
        messages.error(request, "This could not be added to your cart.")
    return redirect("cart")


@require_POST
def swap(request):
    """Put one product in the place of another, as many pieces of it."""
    there = Cart(request).quantities.get(request.POST.get("sku", ""))
    product = _product(request.POST.get("for", ""))
    if there is None or product is None or product.sku == request.POST["sku"]:
        messages.error(request, "This product could not be swapped.")
    elif not product.buyable:
        messages.error(request, f"“{product.title}” cannot be ordered at the moment.")
    else:
        old = request.POST["sku"]
        before = Cart(request).quantities.get(product.sku, 0)
        Cart(request).swap(old, product.sku)
        track.remove_from_cart(request, old, there)
        if (change := Cart(request).quantities[product.sku] - before) > 0:
            track.add_to_cart(request, product.sku, change)
        messages.success(request, f"“{product.title}” is in your cart instead.")
    return redirect("cart")


@require_POST
def update(request):
    form = UpdateForm(request.POST)
    if form.is_valid():
        if form.cleaned_data["sku"] in Cart(request).quantities:
            _put(request, form.cleaned_data["sku"], form.cleaned_data["quantity"])
    else:
        messages.error(request, "Please give a quantity from 0 to 99.")
    return redirect("cart")


def checkout(request):
    cart = Cart(request)
    if not cart.ready:
        messages.error(request, "Your cart cannot be ordered as it is." if cart else "Your cart is empty.")
        return redirect("cart")
    user = request.user if request.user.is_authenticated else None
    initial = {"name": user.get_full_name(), "email": user.email} if user else {}
    form = CheckoutForm(request.POST or None, initial={**initial, "total": cart.total})
    if request.method == "POST" and form.is_valid():
        try:
            order = place_order(cart, user=user, **form.cleaned_data)
        except CannotOrderError as refusal:
            messages.error(request, str(refusal))
            return redirect("cart")
        cart.clear()
        request.session[SESSION_ORDERS] = [*request.session.get(SESSION_ORDERS, [])[-19:], order.number]
        return redirect("order", order.number)
    return render(request, "shop/checkout.html", {"cart": cart, "form": form})


@require_safe
def order(request, number):
    order = get_object_or_404(Order.objects.prefetch_related("lines__product"), number=number)
    own = request.user.is_authenticated and order.user_id == request.user.pk
    if not own and number not in request.session.get(SESSION_ORDERS, []):
        raise Http404("No such order of yours.")
    products = [line.product for line in order.lines.all() if line.product]
    return render(request, "shop/order.html", {"order": order, "own": own, "products": products})


def _products(skus):
    """Products by SKU. No SKU has a NUL, and PostgreSQL refuses to be asked for one."""
    products = Product.objects.filter(sku__in=[sku for sku in skus if "\0" not in sku])
    return {product.sku: product for product in products}


def _product(sku):
    return next(iter(_products([sku]).values()), None)


def _put(request, sku, quantity):
    """Let the cart hold so many pieces of a product, and tell the recommendations what changed: what is returned."""
    cart = Cart(request)
    before = cart.quantities.get(sku, 0)
    cart.set(sku, quantity)
    change = cart.quantities.get(sku, 0) - before
    if change > 0:
        track.add_to_cart(request, sku, change)
    elif change < 0:
        track.remove_from_cart(request, sku, -change)
    return change
