"""The example shop's settings, for tests: DATABASE_URL chooses the database."""

from example_shop.settings import *  # noqa: F403
from example_shop.settings import INSTALLED_APPS as SHOP_APPS

DEBUG = False
INSTALLED_APPS = [*SHOP_APPS, "tests.hosts"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
