from django.shortcuts import get_object_or_404, render

from .models import Product


def product(request, pk):
    return render(request, "product.html", {"product": get_object_or_404(Product, pk=pk)})
