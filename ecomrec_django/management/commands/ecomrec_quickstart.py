"""Write a first adapter from the shop's models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.apps import AppConfig, apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import models

from ...catalog.paths import model_named
from ...errors import EcomrecError
from ..quickstart.carts import guess_cart
from ..quickstart.fields import words
from ..quickstart.instructions import instructions
from ..quickstart.orders import SOLD, UNSOLD, guess_orders
from ..quickstart.product import ProductGuess, guess_product
from ..quickstart.rates import guess_rates
from ..quickstart.text import adapter_text
from ..quickstart.trial import adapter_class, try_adapter

MODULE = "recommendations"
# Apps that no shop keeps its products in.
OTHERS = ("django.", "rest_framework", "ecomrec_django", "django_celery", "allauth", "oauth2_provider")
INSTALLED = {"site-packages", "dist-packages"}
CANDIDATES = 8


class Command(BaseCommand):
    help = (
        "Guess from the shop's models how to read its products, orders and cart, write this as an adapter into "
        "recommendations.py of the app, and print what to paste into settings, URLs and templates. Without a model, "
        "list those that may hold products."
    )
    # There are no settings of the package to check yet.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("product", nargs="?", metavar="APP.MODEL", help="the model of the shop's products")
        parser.add_argument("--order", metavar="APP.MODEL", help="the model of its orders, if the guess is wrong")
        parser.add_argument("--line", metavar="APP.MODEL", help="the model of the lines of orders, likewise")
        parser.add_argument("--dry-run", action="store_true", help="print the adapter, and write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["product"] is None:
            self._list()
            return
        product = _model(options["product"])
        home = _home(product)
        text = _adapter(
            product, home, *(_model(options[name]) if options[name] else None for name in ("order", "line"))
        )
        path, dotted = Path(home.path) / f"{MODULE}.py", f"{home.name}.{MODULE}.ShopCatalog"
        adapter: Any = dotted
        if options["dry_run"]:
            self.stdout.write(text)
            adapter = adapter_class(text, home.name)
        elif path.exists():
            self.stdout.write(f"{path} is there already, and stays as it is.")
        else:
            path.write_text(text, encoding="utf-8")
            guesses = text.count("TODO") - 1
            doubtful = "1 guess is" if guesses == 1 else f"{guesses} guesses are"
            self.stdout.write(f"Wrote {path}: please read it, {doubtful} doubtful (TODO).")
        self._try(adapter)
        for line in instructions(product, dotted):
            self.stdout.write(line)

    def _try(self, adapter: Any) -> None:
        problems, sentence = try_adapter(adapter)
        for problem in problems:
            self.stderr.write(f"To correct in the adapter: {problem}")
        if sentence:
            self.stdout.write(sentence)

    def _list(self) -> None:
        guesses = [guess_product(model) for model in shop_models() if not set(words(model.__name__)) & (SOLD | UNSOLD)]
        likely = sorted((guess for guess in guesses if _likeness(guess) > 3), key=lambda guess: -_likeness(guess))
        if not likely:
            raise CommandError("No model of the project looks like products. Name it: ecomrec_quickstart app.Model")
        self.stdout.write("Models that may hold products, likeliest first:")
        for guess in likely[:CANDIDATES]:
            self.stdout.write(f"  {guess.model._meta.label}: {_description(guess)}")
        self.stdout.write(f"Then: python manage.py ecomrec_quickstart {likely[0].model._meta.label}")


def shop_models() -> list[type[models.Model]]:
    """The models of the project that may be the shop's own."""
    return [model for model in apps.get_models() if not model.__module__.startswith(OTHERS)]


def _model(label: str) -> type[models.Model]:
    try:
        return model_named(label)
    except EcomrecError as error:
        raise CommandError(f"{label!r}: {error}") from error


def _adapter(
    product: type[models.Model], home: AppConfig, order: type[models.Model] | None, line: type[models.Model] | None
) -> str:
    candidates = shop_models()
    orders = guess_orders(product, candidates, order, line)
    if orders is None and (order or line):
        raise CommandError(f"No foreign keys lead from the given models to {product._meta.label} and its orders.")
    own = [app for app in apps.get_app_configs() if not INSTALLED & set(Path(app.path).parts)]
    cart = guess_cart(product, candidates, orders, [app for app in own if app.label != "ecomrec"])
    return adapter_text(home.name, guess_product(product), orders, cart, guess_rates(candidates))


def _home(product: type[models.Model]) -> AppConfig:
    """The app that the adapter is written into."""
    app = apps.get_app_config(product._meta.app_label)
    if INSTALLED & set(Path(app.path).parts):
        raise CommandError(
            f"{product._meta.label} is of an installed package, {app.name}. Write the adapter into an app of your own: "
            "see “Adapters” in the documentation, and “django-oscar” for Oscar."
        )
    return app


def _likeness(guess: ProductGuess) -> int:
    held = (guess.title or guess.title_rows, guess.category, guess.image or guess.image_rows, guess.stock or guess.gone)
    named = guess.model.__name__.lower().endswith(("product", "item", "article", "book", "listing"))
    return 2 * (guess.price is not None) + sum(each is not None and each != "" for each in held) + 2 * named


def _description(guess: ProductGuess) -> str:
    fields: dict[str, Any] = {
        "title": guess.title or guess.title_rows,
        "price": guess.price,
        "category": guess.category,
        "image": guess.image or guess.image_rows,
        "stock": guess.stock,
    }
    return ", ".join(f"{name} {getattr(each, 'path', '') or each.rows}" for name, each in fields.items() if each)
