"""What shoppers and staff do in this shop."""

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from market.models import Product

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def shopper(language="en", currency="EUR"):
    """A guest who agreed to be recorded."""
    client = Client(HTTP_USER_AGENT=BROWSER, HTTP_ACCEPT_LANGUAGE=language)
    client.cookies["ecomrec_consent"] = "yes"
    client.post(reverse("currency"), {"currency": currency})
    return client


def page(client, url):
    answer = client.get(url, follow=True)
    assert answer.status_code == 200, (url, answer.status_code)
    return answer.content.decode()


def product_page(language="en", currency="EUR"):
    return page(shopper(language, currency), Product.objects.get(slug="sencha").get_absolute_url())


def cart_page():
    """With the tea in it, and the pot that goes with it."""
    client = shopper()
    for slug in ("sencha", "clay-teapot"):
        client.post(reverse("add_to_cart"), {"product": Product.objects.get(slug=slug).pk})
    return page(client, reverse("cart"))


def buy():
    """A guest orders the hand grinder, in dollars."""
    client = shopper(currency="USD")
    grinder = Product.objects.get(slug="hand-grinder")
    page(client, grinder.get_absolute_url())
    client.post(reverse("add_to_cart"), {"product": grinder.pk})
    client.post(reverse("place_order"))


def staff():
    client = Client()
    client.force_login(User.objects.create_superuser("staff"))
    return client
