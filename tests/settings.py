"""The example shop's settings, for tests: DATABASE_URL chooses the database."""

import os
from pathlib import Path
from tempfile import gettempdir

from example_shop.settings import *  # noqa: F403
from example_shop.settings import DATABASES
from example_shop.settings import INSTALLED_APPS as SHOP_APPS

DEBUG = False
INSTALLED_APPS = [*SHOP_APPS, "cookie_consent", "tests.hosts"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
if DATABASES["default"]["ENGINE"].endswith("postgresql"):
    INSTALLED_APPS += ["tests.hosts.postgres"]
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, not memory: threads then wait for one another, as in a shop. One per process, for runs side by side.
    # What a test stores need not survive a power cut.
    DATABASES["default"]["OPTIONS"]["init_command"] += "PRAGMA synchronous=OFF;"
    DATABASES["default"]["TEST"] = {"NAME": Path(gettempdir()) / f"ecomrec-test-{os.getpid()}.sqlite3"}
