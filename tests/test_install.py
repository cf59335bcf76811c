"""The README's few lines, and the steps of docs/install.md, give a shop its first block."""

import ast
import os
import re
import subprocess
import sys

import pytest

import ecomrec_django

from .test_docs import PAGES, ROOT, code

README, INSTALL = ROOT / "README.md", ROOT / "docs/install.md"

HOST_SETTINGS = """
BASE_DIR = {folder!r}
SECRET_KEY = "x"
USE_TZ = True
ROOT_URLCONF = "urls"
ALLOWED_HOSTS = ["testserver"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": "host.sqlite3"}}}}
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "rest_framework", "shop",
]
STATIC_URL = "static/"
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
TEMPLATES = [{{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "DIRS": ["templates"],
    "APP_DIRS": True,
    "OPTIONS": {{"context_processors": ["django.template.context_processors.request"]}},
}}]
"""
HOST_MODELS = """
from django.conf import settings
from django.db import models


class Product(models.Model):
    title = models.CharField(max_length=100)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    category = models.CharField(max_length=100)
    stock = models.IntegerField(default=9)


class Order(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True)
    placed = models.DateTimeField()
    updated = models.DateTimeField(auto_now=True)


class OrderLine(models.Model):
    order = models.ForeignKey(Order, models.CASCADE)
    product = models.ForeignKey(Product, models.CASCADE)
    quantity = models.IntegerField(default=1)
    price = models.DecimalField(max_digits=10, decimal_places=2)
"""
HOST_URLS = """
from django.shortcuts import get_object_or_404, render
from django.urls import include, path
from shop.models import Product


def product(request, sku):
    return render(request, "product.html", {"product": get_object_or_404(Product, pk=sku)})


urlpatterns = [path("product/<int:sku>/", product, name="product"), path("cart/add/", product, name="cart-add")]
"""
QUICKSTART = """
import django
django.setup()
from django.core.management import call_command
call_command("makemigrations", "shop", verbosity=0)
call_command("ecomrec_quickstart", "shop.Product")
"""
HOST_STORY = """
import django
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from shop.models import Order, OrderLine, Product
call_command("check", fail_level="WARNING")
call_command("migrate", verbosity=0)
products = [
    Product.objects.create(title=title, price=price, category=category)
    for title, price, category in [
        ("Spaghetti", 2, "Food > Pasta"),
        ("Best spaghetti", "2.60", "Food > Pasta"),
        ("Tomato sauce", 3, "Food > Sauce"),
        ("Soap", 1, "Home > Soap"),
        ("Sponge", 1, "Home > Sponges"),
    ]
]
for number in range(60):
    user = User.objects.create(username=f"u{number}")
    order = Order.objects.create(user=user, placed=timezone.now())
    basket = [[products[0], products[2]], [products[3], products[4]], [products[1]]][number % 3]
    OrderLine.objects.bulk_create(OrderLine(order=order, product=one, price=one.price) for one in basket)
call_command("ecomrec_train", publish=True, verbosity=0)
call_command("ecomrec_doctor")
print(Client().get("/product/1/").content.decode())
"""


@pytest.fixture
def shop(tmp_path):
    """Builds a shop that has nothing of ours from the code of a page, and gives what its first product page shows."""

    def run(script: str) -> str:
        run = subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "host_settings",
                "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def build(settings: list[str], urls: list[str], templates: dict[str, list[str]]) -> str:
        files = {
            "host_settings.py": HOST_SETTINGS.format(folder=str(tmp_path)) + in_place("".join(settings)),
            "shop/__init__.py": "",
            "shop/models.py": HOST_MODELS,
            "urls.py": HOST_URLS + in_place("".join(urls)),
            **{f"templates/{name}": "".join(parts) for name, parts in templates.items()},
        }
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
            (tmp_path / name).write_text(text)
        assert "Wrote " in run(QUICKSTART)
        return run(HOST_STORY)

    return build


def in_place(text: str) -> str:
    """Lists whose "# …" stands for what the shop has already."""
    return re.sub(r"(\w+) = \[\n    # …\n", r"\1 = [\n    *\1,\n", text)


def test_the_few_lines_of_the_readme_make_a_working_shop(shop):
    settings, urls = code(README, "python")
    page = shop([settings], [urls], {"product.html": code(README, "django")})
    assert "Tomato sauce" in page
    assert "Best spaghetti" in page
    assert "block: bought_with of product 1 has 1 offers" in page
    assert "0 failures" in page


def test_the_steps_of_the_installation_make_cards_with_price_picture_and_button(shop):
    app, settings, urls, consent = code(INSTALL, "python")
    head, product, form = code(INSTALL, "django")
    assert "ecomrec_django" in app
    assert settings.count('"ecomrec_django"') == 1
    templates = {"product.html": [head, product], "ecomrec/add_to_cart.html": [form]}
    page = shop(
        [settings.replace('    "rest_framework",  # unless it is there already\n', ""), consent], [urls], templates
    )
    assert '<link rel="stylesheet" href="/static/ecomrec/ecomrec.css">' in page
    assert "Tomato sauce" in page
    assert '<span class="ecomrec-amount">3.00</span>' in page
    assert '<form action="/cart/add/" method="post">' in page
    assert "0 failures" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_the_wheel_as_it_is_built(page):
    names = re.findall(r"ecomrec_django-([\d.]+)-py3", page.read_text())
    assert set(names) <= {ecomrec_django.__version__}


def test_lists_of_settings_are_shown_whole_and_not_added_to():
    for page in (README, INSTALL):
        for source in code(page, "python"):
            added = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.AugAssign)]
            assert not [node for node in added if ast.unparse(node.target) in {"INSTALLED_APPS", "MIDDLEWARE"}]
