"""Pages that touch no database, so that what tracking does to it stands alone; and a few that do."""

from django.contrib.auth import get_user_model, login
from django.db import transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import condition

from ecomrec_django.models import Item
from ecomrec_django.tracking import track
from example_shop.models import Order, OrderLine, Product


def page(request, sku):
    return HttpResponse("page", status=int(request.GET.get("status", "200")))


def shown(request):
    return TemplateResponse(request, engines["django"].from_string("page"), {"product": Product(sku="a")})


def streamed(request, sku):
    return StreamingHttpResponse(iter(["pa", "ge"]))


@condition(etag_func=lambda request, sku: '"same"')
def conditional(request, sku):
    return HttpResponse("page")


@csrf_exempt
def add(request, sku):
    track.add_to_cart(request, sku)
    return HttpResponse("added", status=int(request.GET.get("status", "200")))


def counted(request):
    return HttpResponse(Item.objects.count())


def named(request, name):
    login(request, get_user_model().objects.get(username=name), backend="django.contrib.auth.backends.ModelBackend")
    return HttpResponse("welcome")


@csrf_exempt
def order(request):
    """Places an order, and with ``?fail`` breaks after it: the whole request is one transaction."""
    placed = Order.objects.create(number=request.GET["number"])
    OrderLine.objects.create(order=placed, sku="a", unit_price=1)
    if "fail" in request.GET:
        transaction.set_rollback(True)
    return HttpResponse("ordered")


urlpatterns = [
    path("page/<str:sku>/", page, name="page"),
    path("shown/", shown, name="shown"),
    path("streamed/<str:sku>/", streamed, name="streamed"),
    path("conditional/<str:sku>/", conditional, name="conditional"),
    path("add/<str:sku>/", add),
    path("counted/", counted),
    path("login/<str:name>/", named),
    path("order/", order),
    path("untracked/<str:sku>/", page, name="untracked"),
]
