"""What the documentation says is so."""

import ast
import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.template import engines

from ecomrec_django.catalog.adapter import Catalog, PurchaseLine
from ecomrec_django.conf import DEFAULTS

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def every_page(test):
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)(test)


def code(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


@every_page
def test_every_example_computes_what_it_says(page):
    failed, _ = doctest.testfile(str(page), module_relative=False)
    assert not failed


@every_page
def test_every_setting_named_exists(page):
    assert set(re.findall(r'ECOMREC\["(\w+)"\]', page.read_text())) <= set(DEFAULTS)


def test_every_setting_is_in_the_table_of_settings():
    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs/install.md").read_text(), re.MULTILINE))
    assert listed == set(DEFAULTS)


@every_page
def test_every_command_named_exists_and_takes_these_options(page):
    known = get_commands()
    for name, rest in re.findall(
        r"\b(ecomrec_(?:sync|import|train|evaluate|publish|rollback|recommend|measure|pictures|sequences|forget|purge|drain|roles)\w*)"
        r"([^`\n]*)",
        page.read_text(),
    ):
        assert name in known
        options = load_command_class(known[name], name).create_parser("manage.py", name)._option_string_actions
        assert set(re.findall(r"--[a-z]+(?:-[a-z]+)*", rest)) <= set(options)


@every_page
def test_every_link_to_a_file_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


@every_page
def test_every_template_compiles(page):
    for source in code(page, "django"):
        engines["django"].from_string(source)


@every_page
def test_every_python_example_is_python(page):
    for source in code(page, "python"):
        ast.parse(source)


HOST_SETTINGS = """
BASE_DIR = {folder!r}
SECRET_KEY = "x"
USE_TZ = True
ROOT_URLCONF = "urls"
ALLOWED_HOSTS = ["testserver"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": "host.sqlite3"}}}}
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "shop"]
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


def product(request, pk):
    return render(request, "product.html", {"product": get_object_or_404(Product, pk=pk)})


urlpatterns = [path("product/<int:pk>/", product)]
"""
HOST_STORY = """
import django
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from shop.models import Order, OrderLine, Product
call_command("makemigrations", "shop", verbosity=0)
call_command("check", fail_level="WARNING")
call_command("migrate", verbosity=0)
goods = [
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
    basket = [[goods[0], goods[2]], [goods[3], goods[4]], [goods[1]]][number % 3]
    OrderLine.objects.bulk_create(OrderLine(order=order, product=one, price=one.price) for one in basket)
call_command("ecomrec_train", publish=True, verbosity=0)
print(Client().get("/product/1/").content.decode())
"""


@pytest.fixture
def host_project(tmp_path):
    """Builds a shop that has nothing of ours, adds the README's blocks, and gives its first product page."""

    def build(settings, adapter, urls, template):
        for name, text in {
            "host_settings.py": HOST_SETTINGS.format(folder=str(tmp_path)) + settings,
            "shop/__init__.py": "",
            "shop/models.py": HOST_MODELS,
            "shop/recommendations.py": adapter,
            "urls.py": HOST_URLS + urls,
            "templates/product.html": template,
        }.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        run = subprocess.run(
            [sys.executable, "-c", HOST_STORY],
            cwd=tmp_path,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "host_settings", "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        return run.stdout

    return build


def test_the_ten_lines_of_the_readme_make_a_working_shop(host_project):
    """A host project of the README's own blocks checks, migrates, trains, and shows an offer."""
    settings, adapter, urls = code(ROOT / "README.md", "python")
    (template,) = code(ROOT / "README.md", "django")
    page = host_project(settings, adapter, urls, template)
    assert "Tomato sauce" in page
    assert "Best spaghetti" in page


def test_the_adapter_of_the_readme_names_fields_that_exist():
    adapter = code(ROOT / "README.md", "python")[1]
    tree = ast.parse(adapter)
    (call,) = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "PurchaseLine"
    ]
    assert {keyword.arg for keyword in call.keywords} <= set(PurchaseLine._fields)
    (catalog,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    named = {target.id for node in catalog.body if isinstance(node, ast.Assign) for target in node.targets}
    methods = {node.name for node in catalog.body if isinstance(node, ast.FunctionDef)}
    assert all(hasattr(Catalog, name) for name in named | methods)
