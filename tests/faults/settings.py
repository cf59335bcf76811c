"""A shop whose pages need no database, for servers that are run while something is broken."""

import os

from example_shop.settings import *  # noqa: F403
from example_shop.settings import DATABASES, ECOMREC
from example_shop.settings import INSTALLED_APPS as SHOP_APPS

DEBUG = False
INSTALLED_APPS = [*SHOP_APPS, "tests.hosts", "tests.faults"]
ROOT_URLCONF = "tests.tracking.urls"
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "ecomrec_django.tracking.middleware.TrackingMiddleware",
]
# Connections outlive requests, so that a broken one could be handed on.
DATABASES["default"]["CONN_MAX_AGE"] = 60
ECOMREC = {
    **ECOMREC,
    "CATALOG": "tests.support.tracking_catalogs.PromptCatalog",
    "TRACK_VIEWS": {"page": "sku"},
    "SINK": os.environ.get("SHOP_SINK", "ecomrec_django.tracking.sinks.DatabaseSink"),
    "REDIS": os.environ.get("SHOP_REDIS"),
}
