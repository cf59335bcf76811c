"""What shoppers and staff do in this shop."""

import json

from django.test import Client
from django.urls import reverse

from accounts.models import Account
from catalogue.models import Product

APP = "Grocer/3.1 (Android)"


class Shopper:
    """A customer of the app, who agreed to be recorded."""

    def __init__(self, name="anna"):
        account, _ = Account.objects.get_or_create(username=name)
        account.set_password("secret")
        account.save()
        self.client = Client(HTTP_USER_AGENT=APP)
        token = self.client.post(reverse("token"), {"username": name, "password": "secret"}).json()["access"]
        self.client.defaults |= {"HTTP_AUTHORIZATION": f"Bearer {token}", "HTTP_X_ECOMREC_CONSENT": "yes"}

    def post(self, name, **data):
        answer = self.client.post(reverse(name), json.dumps(data), content_type="application/json")
        assert answer.status_code == 201, answer.content
        return answer.json()


def page(client, url):
    answer = client.get(url, follow=True)
    assert answer.status_code == 200, (url, answer.status_code, answer.content)
    return answer.content.decode()


def product(label):
    return Product.objects.get(label=label)


def product_page():
    """What the app shows below a product."""
    pk = product("Bella Spaghetti 500 g").pk
    client = Client(HTTP_USER_AGENT=APP)
    page(client, reverse("product", args=[pk]))
    return "\n".join(page(client, f"{reverse(f'ecomrec:{name}')}?item={pk}") for name in ("upgrade-to", "bought-with"))


def list_page():
    """Bestsellers, for the app's first page."""
    return page(Client(HTTP_USER_AGENT=APP), reverse("ecomrec:for-you"))


def cart_page():
    """With the pasta in it, and the sauce that goes with it."""
    shopper = Shopper()
    for label in ("Bella Spaghetti 500 g", "Oro Tomatensoße 400 ml"):
        shopper.post("basket", product=str(product(label).pk))
    return page(shopper.client, f"{reverse('ecomrec:bought-with')}?cart=1")


def buy():
    """A customer orders flour."""
    shopper = Shopper("ben")
    flour = product("Mühle Weizenmehl 1 kg")
    page(shopper.client, reverse("product", args=[flour.pk]))
    shopper.post("basket", product=str(flour.pk))
    shopper.post("checkout")


def staff():
    client = Client()
    client.force_login(Account.objects.create_superuser("staff"))
    return client
