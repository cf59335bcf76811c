"""Settings of `benchmarks.tracking`: a shop of small pages, so that what tracking adds to them can be seen."""

import os

from example_shop.settings import *  # noqa: F403
from example_shop.settings import DATABASES, ECOMREC

DEBUG = False
ROOT_URLCONF = "benchmarks._tracked_pages"
ALLOWED_HOSTS = ["*"]
DATABASES["default"]["CONN_MAX_AGE"] = None
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
if os.environ.get("TRACKED") == "1":
    MIDDLEWARE.append("ecomrec_django.tracking.middleware.TrackingMiddleware")
ECOMREC = {**ECOMREC, "BEACON_THROTTLE": None}
