"""Settings of `benchmarks.shoppers`: the example shop with a larger cache, and a queue where REDIS names a server."""

import os

from example_shop.settings import *  # noqa: F403
from example_shop.settings import ECOMREC

DEBUG = False
# Thousands log in.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 20_000}},
}
# Who has logged in stays so until the end.
SESSION_COOKIE_AGE = 60 * 24 * 3600
if os.environ.get("REDIS"):
    ECOMREC = {**ECOMREC, "REDIS": os.environ["REDIS"], "SINK": "ecomrec_django.tracking.redis_sink.RedisSink"}
