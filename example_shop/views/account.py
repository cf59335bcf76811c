"""Sign up, order history, cancelling an order."""

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from ..forms import SignUpForm
from ..models import Order
from ..orders import cancel_order


def sign_up(request):
    form = SignUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        login(request, form.save())
        messages.success(request, "Welcome! Your account is ready.")
        return redirect("home")
    return render(request, "shop/signup.html", {"form": form})


@require_safe
@login_required
def orders(request):
    orders = Order.objects.filter(user=request.user).prefetch_related("lines")
    page = Paginator(orders, 20).get_page(request.GET.get("page"))
    pages = page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1)
    return render(request, "shop/orders.html", {"page": page, "pages": pages})


@require_POST
@login_required
def cancel(request, number):
    order = get_object_or_404(Order, number=number, user=request.user)
    if cancel_order(order):
        messages.success(request, f"Order {order.number} is cancelled.")
    else:
        messages.info(request, f"Order {order.number} was already cancelled.")
    return redirect("order", order.number)
