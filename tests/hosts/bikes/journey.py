"""What shoppers and staff do in this shop."""

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from store.models import Product

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def shopper():
    """A guest who agreed to be recorded."""
    client = Client(HTTP_USER_AGENT=BROWSER)
    client.cookies["ecomrec_consent"] = "yes"
    return client


def page(client, url):
    answer = client.get(url, follow=True)
    assert answer.status_code == 200, (url, answer.status_code)
    return answer.content.decode()


def product_page():
    return page(Client(), reverse("product_detail", args=["velox-city-3"]))


def offers():
    product = Product.objects.get(slug="velox-city-3")
    return page(Client(), f"{reverse('ecomrec:bought-with')}?item={product.pk}")


def cart_page():
    """With the bicycle in it, and the lock that goes with it."""
    client = shopper()
    for name in ("Velox City 3", "Krypt folding lock"):
        client.post(reverse("cart_add", args=[Product.objects.get(name=name).pk]))
    return page(client, reverse("cart_detail"))


def buy():
    """A guest orders the pump."""
    client = shopper()
    page(client, reverse("product_detail", args=["floor-pump"]))
    client.post(reverse("cart_add", args=[Product.objects.get(name="Floor pump").pk]))
    client.post(reverse("checkout"), {"email": "guest@example.com"})


def staff():
    client = Client()
    client.force_login(User.objects.create_superuser("staff"))
    return client
