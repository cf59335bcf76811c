import secrets

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from ecomrec_django.models import Publication
from ecomrec_django.serving.offers import offers
from example_shop.models import Product

ADMIN = "admin"
PASSWORD_FILE = settings.VAR / "admin-password.txt"
# How many of the best-selling products are tried before giving up.
TRIED = 500


class Command(BaseCommand):
    help = "Trains and publishes a first release, makes an admin account, and prints pages worth opening."

    def add_arguments(self, parser):
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *, port, **options):
        if not Publication.objects.filter(release__isnull=False).exists():
            call_command("ecomrec_train", publish=True, stdout=self.stdout)
        product = self._product()
        site = f"http://127.0.0.1:{port}"
        cart = f"{reverse('cart-shared')}?{urlencode({'sku': product.sku})}"
        self.stdout.write(f"Product page: {site}{product.get_absolute_url()}")
        self.stdout.write(f"Cart page:    {site}{cart}")
        self.stdout.write(f"Admin:        {site}{reverse('admin:index')} user {ADMIN} password {self._password()}")

    def _product(self):
        """A well-sold product that shows both kinds of offers."""
        for product in Product.objects.exclude(price=None).filter(stock__gt=0).order_by("-sold", "pk")[:TRIED]:
            if all(offers(HttpRequest(), strategy, [product]) for strategy in ("bought_with", "upgrade_to")):
                return product
        raise CommandError("No product shows both kinds of offers: load more households.")

    def _password(self):
        """The admin's password: random, made once, kept where only this account of the machine can read it."""
        user, made = User.objects.get_or_create(
            username=ADMIN, defaults={"is_staff": True, "is_superuser": True, "email": "admin@example.com"}
        )
        if made or not PASSWORD_FILE.exists():
            password = secrets.token_urlsafe(9)
            PASSWORD_FILE.touch(mode=0o600)
            PASSWORD_FILE.write_text(password)
            user.set_password(password)
            user.save()
        return PASSWORD_FILE.read_text()
