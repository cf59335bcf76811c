"""Home, categories, search, products and their reviews."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import F
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from ..forms import ReviewForm
from ..models import Category, Product, Review

PAGE_SIZE = 24
SORTS = {
    "popular": ("Most popular", ["-sold", "title"]),
    "price": ("Price, low to high", [F("price").asc(nulls_last=True), "title"]),
    "-price": ("Price, high to low", [F("price").desc(nulls_last=True), "title"]),
    "rating": ("Best rated", [F("rating").desc(nulls_last=True), "title"]),
    "title": ("Name", ["title"]),
}


@require_safe
def home(request):
    return render(
        request,
        "shop/home.html",
        {
            "departments": Category.objects.filter(parent=None),
            "bestsellers": Product.objects.filter(stock__gt=0, price__isnull=False).order_by("-sold", "title")[:12],
        },
    )


@require_safe
def category(request, slug):
    category = get_object_or_404(Category, slug=slug)
    products = Product.objects.filter(category__in=category.subtree())
    return render(
        request,
        "shop/category.html",
        {
            "category": category,
            "ancestors": category.ancestors(),
            "children": category.children.all(),
            **_listing(request, products),
        },
    )


@require_safe
def search(request):
    query = " ".join(request.GET.get("q", "").replace("\0", "").split())[:100]
    products = Product.objects.all() if query else Product.objects.none()
    for word in query.split()[:8]:
        products = products.filter(title__icontains=word)
    return render(request, "shop/search.html", {"query": query, **_listing(request, products)})


@require_safe
def product(request, sku):
    product = get_object_or_404(Product.objects.select_related("category__parent__parent"), sku=sku)
    return _product_page(request, product, ReviewForm())


@require_POST
@login_required
def review(request, sku):
    product = get_object_or_404(Product.objects.select_related("category__parent__parent"), sku=sku)
    form = ReviewForm(request.POST)
    if not form.is_valid():
        return _product_page(request, product, form, status=422)
    Review.objects.update_or_create(product=product, user=request.user, defaults=form.cleaned_data)
    product.rate()
    messages.success(request, "Thank you for your review.")
    return redirect(product)


def _product_page(request, product, form, status=200):
    reviews = list(product.reviews.select_related("user")[:50])
    ancestors = [*product.category.ancestors(), product.category] if product.category else []
    context = {"product": product, "ancestors": ancestors, "reviews": reviews, "review_form": form}
    return render(request, "shop/product.html", context, status=status)


def _listing(request, products):
    """One page of products, sorted as the address asks."""
    sort = request.GET.get("sort")
    sort = sort if sort in SORTS else "popular"
    page = Paginator(products.order_by(*SORTS[sort][1], "pk"), PAGE_SIZE).get_page(request.GET.get("page"))
    return {
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1),
        "sort": sort,
        "sorts": {key: label for key, (label, _) in SORTS.items()},
    }
